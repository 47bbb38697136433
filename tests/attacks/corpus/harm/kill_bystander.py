"""Kills a process of the machine that has nothing to do with grading."""

prize = "host"
harmless = True

# %% last
import os
import signal

os.kill(int("@CANARY@"), signal.SIGKILL)
