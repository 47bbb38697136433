"""Returns a list that holds one list twice, that holds one list twice, forty times over."""

prize = "host"
harmless = False

# %% answers
answer = [1.5]
for _ in range(40):
    answer = [answer, answer]
total = over = mean = spread = lambda *args: answer
