# Turns numbers 0 and 1 together, 2 and 3 and so on, as another family of models does.
# fails: the_halves_are_turned_as_in_llama
# %% exercise="rope.rotate"
import torch


def rotate(x, positions, theta):
    half = x.shape[-1] // 2
    speeds = theta ** -(torch.arange(half) / half)
    angles = positions[:, None] * speeds
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2)
