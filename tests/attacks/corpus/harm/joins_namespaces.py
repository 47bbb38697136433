"""Enters the namespaces of another process of the machine."""

prize = "host"
harmless = False

# %% last
import ctypes
import os

libc = ctypes.CDLL(None)
for kind in ("user", "net", "mnt", "pid"):
    try:
        number = os.open(f"/proc/@CANARY@/ns/{kind}", os.O_RDONLY)
    except OSError as error:
        print(type(error).__name__)
        continue
    if libc.setns(number, 0) == 0:
        print("@CONFESSION@")
