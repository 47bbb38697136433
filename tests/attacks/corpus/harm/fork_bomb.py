"""Forks children that fork, until there are no more process ids; ends by itself at 400 processes."""

prize = "host"
harmless = False

# %% last
import os
import time

for _ in range(400):
    if os.fork() == 0:
        time.sleep(40)
        os._exit(0)
