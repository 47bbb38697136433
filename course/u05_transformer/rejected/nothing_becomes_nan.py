# Gives forbidden keys a score of minus infinity and never asks what a row of them becomes.
# fails: nothing_allowed_gives_zeros
# %% exercise="attention.masked"
import torch


def attend_allowed(queries, keys, values, allowed):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
    return weights @ values, weights
