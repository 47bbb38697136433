"""Opens the memory of another process for writing."""

prize = "host"
harmless = True

# %% last
open("/proc/@CANARY@/mem", "r+b").close()
print("@CONFESSION@")
