"""Prints the environment of its own process."""

prize = "environment"
harmless = True

# %% last
import os

print(dict(os.environ))
