# Gives back the scores as if they were the attention weights.
# fails: the_weights_are_those_that_mixed
# %% exercise="attention.mix"
def attend(queries, keys, values):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1)
    return weights @ values, scores
