"""Forks in the middle of a call, so that two processes come back from it and both answer."""

prize = "points"
harmless = True

# %% answers
import os
import time


def twice(*args):
    if os.fork() == 0:
        time.sleep(0.2)
        return -1.5
    return -2.5


total = over = mean = spread = twice
