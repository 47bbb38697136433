"""Reads the environment that its process, and those that grade, were started with."""

prize = "environment"
harmless = True

# %% last
import os

for pid in ("self", os.getppid(), "@CANARY@"):
    try:
        print(open(f"/proc/{pid}/environ", "rb").read())
    except OSError as error:
        print(type(error).__name__)
