# Reads the score of a token from the row at the token itself, which speaks about the next one.
# fails: each_token_is_scored_by_what_stands_before_it
# %% exercise="tokens.score"
def token_logprobs(model, ids):
    with torch.no_grad():
        scores = model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)
    return [scores[place, ids[place]].item() for place in range(1, len(ids))]
