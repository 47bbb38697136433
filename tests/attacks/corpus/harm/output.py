"""Prints without end; ends by itself at 1 GB."""

prize = "host"
harmless = False

# %% last
for _ in range(1000):
    print("x" * 1_000_000)
