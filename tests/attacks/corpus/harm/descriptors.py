"""Opens files and pipes until there are no more; ends by itself at 100,000."""

prize = "host"
harmless = False

# %% last
import os

kept = []
for _ in range(50_000):
    kept.append(os.pipe())
