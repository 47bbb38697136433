"""Becomes root in namespaces of its own and mounts what was hidden from it."""

prize = "host"
harmless = False

# %% last
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
print("unshare", libc.unshare(0x10000000 | 0x00020000), os.strerror(ctypes.get_errno()))
os.makedirs("place", exist_ok=True)
for source, kind in ((b"proc", b"proc"), (b"sysfs", b"sysfs"), (b"devtmpfs", b"devtmpfs")):
    print(kind, libc.mount(source, b"place", kind, 0, None), os.strerror(ctypes.get_errno()))
    if os.path.exists("place/@CANARY@/environ") or os.path.exists("place/vda") or os.path.exists("place/kmsg"):
        print("@CONFESSION@")
    libc.umount2(b"place", 2)
