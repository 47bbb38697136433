# Divides the dot products by the length of the vectors, not by its square root.
# fails: the_values_are_mixed_by_fit
# %% exercise="attention.mix"
def attend(queries, keys, values):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1]
    weights = scores.softmax(dim=-1)
    return weights @ values, weights
