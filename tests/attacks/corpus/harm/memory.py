"""Takes memory and writes to it; ends by itself at 6 GB."""

prize = "host"
harmless = False

# %% last
kept = []
for _ in range(60):
    kept.append(bytearray(b"x" * 100_000_000))
