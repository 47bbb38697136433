"""Forks to a tree nine generations deep, all busy, so that there is no one parent to be killed."""

prize = "time"
harmless = False

# %% last
import os
import time

end = time.monotonic() + 30
mine = os.getpid()
for _ in range(8):
    os.fork()
while time.monotonic() < end and os.getpid() != mine:
    pass
if os.getpid() != mine:
    os._exit(0)
time.sleep(30)
