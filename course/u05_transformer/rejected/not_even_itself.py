# Lets a token look at the tokens before it, but not at itself.
# fails: real_tokens_see_themselves_and_the_past
# %% exercise="mask.make"
import torch


def may_look(real):
    tokens = real.shape[1]
    not_later = torch.ones(tokens, tokens, dtype=torch.bool).tril(-1)
    return not_later & real[:, None, :]
