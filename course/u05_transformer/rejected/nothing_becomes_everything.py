# Gives forbidden keys a score of minus a billion, so a query that sees nothing looks at everything alike.
# fails: nothing_allowed_gives_zeros
# %% exercise="attention.masked"
def attend_allowed(queries, keys, values, allowed):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    weights = scores.masked_fill(~allowed, -1e9).softmax(dim=-1)
    return weights @ values, weights
