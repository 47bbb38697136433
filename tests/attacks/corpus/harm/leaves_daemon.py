"""Leaves a process behind that outlives grading; it ends by itself after a minute."""

prize = "host"
harmless = True

# %% last
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 1000)
        time.sleep(60)
    os._exit(0)
