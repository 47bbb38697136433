# Forbids the padding to look, instead of forbidding the others to look at it.
# fails: padding_is_never_seen
# %% exercise="mask.make"
import torch


def may_look(real):
    tokens = real.shape[1]
    not_later = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    return not_later & real[:, :, None]
