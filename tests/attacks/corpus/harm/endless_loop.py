"""Computes for ever."""

prize = "time"
harmless = True

# %% first
while True:
    pass
