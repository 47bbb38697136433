# Takes the mean over the signs on the left, so a rare sign counts as much as a frequent one.
# fails: the_surprise_is_right
# %% exercise="letters.loss"
def letter_loss(shares, left, right, bias):
    scores = left @ right + bias
    log_probabilities = scores - scores.exp().sum(axis=1, keepdims=True).log()
    rows = shares.sum(axis=1, keepdims=True)
    conditional = shares * (-rows.log()).exp()
    return -(conditional * log_probabilities).sum() * (1 / len(bias.data))
