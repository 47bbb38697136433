# Writes the softmax as in the formula, and large scores become infinite.
# fails: large_scores_stay_finite
# %% exercise="attention.mix"
def attend(queries, keys, values):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    powers = scores.exp()
    weights = powers / powers.sum(dim=-1, keepdim=True)
    return weights @ values, weights
