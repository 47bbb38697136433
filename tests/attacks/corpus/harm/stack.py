"""Overflows the stack of the interpreter itself."""

prize = "time"
harmless = True

# %% answers
import sys


def deep(*args):
    sys.setrecursionlimit(10**9)
    return deep(*args)


total = over = mean = spread = deep
