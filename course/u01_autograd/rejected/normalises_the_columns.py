# Makes the columns add up to 1, not the rows.
# fails: the_surprise_is_right
# %% exercise="letters.loss"
def letter_loss(shares, left, right, bias):
    scores = left @ right + bias
    return -(shares * (scores - scores.exp().sum(axis=0, keepdims=True).log())).sum()
