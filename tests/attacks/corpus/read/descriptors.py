"""Reads every file that its process was left with open."""

prize = "gradebook"
harmless = True

# %% last
import os

for name in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink(f"/proc/self/fd/{name}")
        if target.startswith("/") and not target.startswith(("/dev", "/proc")):
            print(target, os.pread(int(name), 1 << 20, 0))
    except OSError as error:
        print(type(error).__name__)
