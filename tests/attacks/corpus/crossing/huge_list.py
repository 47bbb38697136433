"""Returns a list of three million lists."""

prize = "time"
harmless = True

# %% answers
total = over = mean = spread = lambda *args: [[] for _ in range(3_000_000)]
