"""Fills the folder for temporary files; ends by itself at 3 GB and is deleted."""

prize = "host"
harmless = False

# %% last
import tempfile

with tempfile.TemporaryFile() as file:
    for _ in range(300):
        file.write(b"x" * 10_000_000)
