# Turns clockwise: every property of a rotation holds, and no trained model fits.
# fails: the_halves_are_turned_as_in_llama
# %% exercise="rope.rotate"
import torch


def rotate(x, positions, theta):
    half = x.shape[-1] // 2
    speeds = theta ** -(torch.arange(half) / half)
    angles = positions[:, None] * speeds
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)
