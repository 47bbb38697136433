# Computes the probabilities first and the logarithm afterwards, which gives minus infinity for a very small one.
# fails: a_very_improbable_token_has_a_finite_score
# %% exercise="tokens.score"
def token_logprobs(model, ids):
    with torch.no_grad():
        probabilities = model(torch.tensor([ids])).logits[0, :-1].softmax(dim=-1)
    return [torch.log(probabilities[place, token]).item() for place, token in enumerate(ids[1:])]
