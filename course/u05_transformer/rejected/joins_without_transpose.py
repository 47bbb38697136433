# Joins the heads by reshaping, and the parts of different tokens get into one vector.
# fails: the_parts_become_one_vector
# %% exercise="heads.split"
def split_heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x):
    batch, heads, tokens, size = x.shape
    return x.reshape(batch, tokens, heads * size)
