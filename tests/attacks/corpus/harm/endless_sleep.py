"""Sleeps for ever in the middle of a test, without using the processor."""

prize = "time"
harmless = True

# %% answers
import time


def sleep(*args):
    time.sleep(10**6)


total = over = mean = spread = sleep
