"""Raises an exception whose causes form a circle, under a stack of a thousand calls."""

prize = "time"
harmless = True


# %% answers
def answer(*args, depth=900):
    if depth:
        return answer(depth=depth - 1)
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    raise first


total = over = mean = spread = answer
