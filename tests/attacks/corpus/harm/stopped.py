"""Stops its own process, which then neither works nor ends."""

prize = "time"
harmless = True

# %% last
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
