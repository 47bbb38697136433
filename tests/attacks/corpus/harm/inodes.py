"""Makes empty files until there is no room for another; ends by itself at 200,000."""

prize = "host"
harmless = False

# %% last
import os

os.mkdir("many")
for number in range(200_000):
    open(f"many/{number}", "w").close()
