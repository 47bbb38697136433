"""Attaches to another process as a debugger."""

prize = "host"
harmless = True

# %% last
import ctypes
import time

if ctypes.CDLL(None).ptrace(16, int("@CANARY@"), 0, 0) == 0:
    print("@CONFESSION@")
    time.sleep(1)
