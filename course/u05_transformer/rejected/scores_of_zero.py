# Sets the scores of forbidden keys to zero, and the exponential of zero is one.
# fails: forbidden_keys_count_as_deleted
# %% exercise="attention.masked"
def attend_allowed(queries, keys, values, allowed):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    weights = (scores * allowed).softmax(dim=-1) * allowed.any(dim=-1, keepdim=True)
    return weights @ values, weights
