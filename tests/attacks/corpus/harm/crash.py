"""Crashes the interpreter itself by reading where there is nothing."""

prize = "time"
harmless = True

# %% answers
import ctypes


def crash(*args):
    ctypes.string_at(0)


total = over = mean = spread = crash
