"""Lists the command lines of other programs on the machine and looks for the one that does not belong to grading."""

prize = "host"
harmless = True

# %% last
try:
    if b"input()" in open("/proc/@CANARY@/cmdline", "rb").read():
        print("@CONFESSION@")
except OSError as error:
    print(type(error).__name__)
