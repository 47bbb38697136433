# Masks the weights after the softmax, and those that are left no longer add up to 1.
# fails: forbidden_keys_count_as_deleted
# %% exercise="attention.masked"
def attend_allowed(queries, keys, values, allowed):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1) * allowed
    return weights @ values, weights
