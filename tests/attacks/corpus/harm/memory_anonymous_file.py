"""Fills a file that is only in memory and has no place on any disk; ends by itself at 3 GB."""

prize = "host"
harmless = False

# %% last
import os

number = os.memfd_create("filling")
for _ in range(300):
    os.write(number, b"x" * 10_000_000)
