"""Fills the memory that processes share, which belongs to none of them; ends by itself at 3 GB and is given back."""

prize = "host"
harmless = False

# %% last
import os

name = "/dev/shm/filling"
try:
    with open(name, "wb") as file:
        for _ in range(300):
            file.write(b"x" * 10_000_000)
finally:
    if os.path.exists(name):
        os.remove(name)
