"""Fills its working folder; ends by itself at 3 GB and is deleted."""

prize = "host"
harmless = False

# %% last
import os

try:
    with open("filling", "wb") as file:
        for _ in range(300):
            file.write(b"x" * 10_000_000)
finally:
    os.remove("filling")
