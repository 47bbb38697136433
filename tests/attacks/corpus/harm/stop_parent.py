"""Stops its parent, which then waits for ever and answers nobody."""

prize = "time"
harmless = False

# %% last
import os
import signal

if os.getppid() > 1:
    os.kill(os.getppid(), signal.SIGSTOP)
