"""Leaves dead children unreaped until there are no more process ids; ends by itself at 200."""

prize = "host"
harmless = False

# %% last
import os

for _ in range(200):
    if os.fork() == 0:
        os._exit(0)
