# Ignores padding, because padding on the right is never seen by a causal mask anyway.
# fails: padding_is_never_seen
# %% exercise="mask.make"
import torch


def may_look(real):
    tokens = real.shape[1]
    not_later = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    return not_later & torch.ones_like(real)[:, None, :]
