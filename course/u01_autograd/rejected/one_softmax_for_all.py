# Divides by the sum over the whole table, as if the pair were drawn at once.
# fails: the_surprise_is_right
# %% exercise="letters.loss"
def letter_loss(shares, left, right, bias):
    scores = left @ right + bias
    return -(shares * (scores - scores.exp().sum().log())).sum()
