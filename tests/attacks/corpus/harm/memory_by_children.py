"""Takes memory in ten children, none of which takes much by itself; ends by itself at 6 GB."""

prize = "host"
harmless = False

# %% last
import os
import time

for _ in range(10):
    if os.fork() == 0:
        kept = bytearray(b"x" * 600_000_000)
        time.sleep(20)
        os._exit(0)
time.sleep(25)
