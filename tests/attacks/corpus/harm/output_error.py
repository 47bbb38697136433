"""Fails with a message of 500 MB in the middle of a test."""

prize = "host"
harmless = False


# %% answers
def fail(*args):
    raise ValueError("x" * 500_000_000)


total = over = mean = spread = fail
