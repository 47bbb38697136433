"""Returns a text of two gigabytes."""

prize = "host"
harmless = False

# %% answers
total = over = mean = spread = lambda *args: "x" * 2_000_000_000
