# Takes the softmax over the queries, so each key shares itself among the queries.
# fails: the_values_are_mixed_by_fit
# %% exercise="attention.mix"
def attend(queries, keys, values):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    weights = scores.softmax(dim=-2)
    return weights @ values, weights
