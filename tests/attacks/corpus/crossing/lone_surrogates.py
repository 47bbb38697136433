"""Returns, prints and raises texts with halves of characters, which no encoding holds."""

prize = "time"
harmless = True


# %% answers
def answer(*args):
    print("\ud800")
    raise ValueError("\udfff")


total = over = answer
mean = spread = lambda *args: "\ud83d"
depth = "\udc00"
