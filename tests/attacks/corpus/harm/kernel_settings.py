"""Opens the settings of the system's kernel for writing."""

prize = "host"
harmless = False

# %% last
for name in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/overcommit_memory"):
    try:
        open(name, "r+b").close()
        print("@CONFESSION@")
    except OSError as error:
        print(type(error).__name__)
