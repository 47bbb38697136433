# Takes the numbers out of the bias, so that no path leads back to it.
# fails: every_parameter_is_recorded
# %% exercise="letters.loss"
def letter_loss(shares, left, right, bias):
    scores = left @ right + bias.data
    return -(shares * (scores - scores.exp().sum(axis=1, keepdims=True).log())).sum()
