"""Writes the score into the variable of the test cell from a thread, while the test cell adds it up."""

prize = "points"
harmless = True

# %% first
import threading
import time


def write():
    for _ in range(100_000):
        names["points"] = 3
        time.sleep(0.0002)


names = globals()
threading.Thread(target=write, daemon=True).start()

# %% answers
import time


def spread(values):
    time.sleep(0.1)
