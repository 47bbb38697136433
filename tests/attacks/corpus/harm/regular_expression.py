"""Gives a pattern to the library of regular expressions on which it never ends."""

prize = "time"
harmless = True

# %% first
import re

re.match(r"(a+)+$", "a" * 64 + "b")
