# Deals the numbers out to the heads in turn, like cards.
# fails: each_head_gets_its_numbers
# %% exercise="heads.split"
def split_heads(x, heads):
    return x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)


def join_heads(x):
    return x.transpose(1, 2).flatten(2)
