"""Returns a list nested a hundred thousand levels deep."""

prize = "time"
harmless = True

# %% answers
answer = []
for _ in range(100_000):
    answer = [answer]
total = over = mean = spread = lambda *args: answer
