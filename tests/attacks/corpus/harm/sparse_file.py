"""Leaves a file that says it has 40 GB, for whoever copies the folder."""

prize = "host"
harmless = False

# %% last
with open("sparse.bin", "wb") as file:
    file.truncate(40_000_000_000)
