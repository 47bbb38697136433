# Gives the first token a score of 0, as if the model had been certain of it.
# fails: every_token_but_the_first_has_a_score
# %% exercise="tokens.score"
def token_logprobs(model, ids):
    with torch.no_grad():
        scores = model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)
    return [0.0] + [scores[place - 1, ids[place]].item() for place in range(1, len(ids))]
