"""Returns lists and dictionaries that contain themselves."""

prize = "time"
harmless = True

# %% answers
answer = []
answer.append({"again": answer})
total = over = mean = spread = lambda *args: answer
depth = answer
