"""Opens the machine's memory and disks."""

prize = "host"
harmless = False

# %% last
import glob

for name in ["/dev/mem", "/dev/kmsg", *glob.glob("/dev/sd*"), *glob.glob("/dev/vd*"), *glob.glob("/dev/nvme*")]:
    try:
        open(name, "rb").close()
        print("@CONFESSION@")
    except OSError as error:
        print(type(error).__name__)
