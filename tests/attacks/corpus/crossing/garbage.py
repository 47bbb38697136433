"""Writes garbage into every descriptor that its process holds, in the middle of a test."""

prize = "time"
harmless = True

# %% answers
import os


def write(*args):
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}").startswith(("socket", "pipe")):
                os.set_blocking(int(number), False)
                os.write(int(number), b"\xff" * 100_000)
        except OSError:
            pass


total = over = mean = spread = write
