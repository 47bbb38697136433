# Divides the exponent by the whole length of the vector instead of by the number of pairs.
# fails: the_halves_are_turned_as_in_llama
# %% exercise="rope.rotate"
import torch


def rotate(x, positions, theta):
    half = x.shape[-1] // 2
    speeds = theta ** -(torch.arange(half) / (2 * half))
    angles = positions[:, None] * speeds
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
