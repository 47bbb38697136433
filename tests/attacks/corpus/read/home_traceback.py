"""Fails in code that claims to come from a file of the home folder, whose lines the traceback then quotes."""

prize = "home"
harmless = True

# %% answers
code = compile("raise RuntimeError('quote me')", "@HOME@/.token", "exec")


def fail(*args):
    exec(code)


total = over = mean = spread = fail
