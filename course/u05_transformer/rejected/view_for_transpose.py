# Reshapes to the right shape without exchanging axes, and mixes the tokens.
# fails: each_head_gets_its_numbers
# %% exercise="heads.split"
def split_heads(x, heads):
    batch, tokens, width = x.shape
    return x.reshape(batch, heads, tokens, width // heads)


def join_heads(x):
    return x.transpose(1, 2).flatten(2)
