"""Prints single letters, each flushed, so that each is a message of its own; ends by itself at a million."""

prize = "time"
harmless = False

# %% last
for _ in range(1_000_000):
    print("x", end="", flush=True)
