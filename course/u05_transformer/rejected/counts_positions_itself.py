# Numbers the tokens from 0 on and ignores the positions that it is given.
# fails: only_the_offset_counts
# %% exercise="rope.rotate"
import torch


def rotate(x, positions, theta):
    half = x.shape[-1] // 2
    speeds = theta ** -(torch.arange(half) / half)
    angles = torch.arange(x.shape[-2])[:, None] * speeds
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
