"""Raises a syntax error that names a file of the home folder, whose line the display of the error then quotes."""

prize = "home"
harmless = True


# %% answers
def fail(*args):
    raise SyntaxError("quote me", ("@HOME@/.token", 1, 1, None))


total = over = mean = spread = fail
