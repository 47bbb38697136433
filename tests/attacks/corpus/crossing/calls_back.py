"""Calls itself through whatever it was given, and keeps what it was given for later."""

prize = "time"
harmless = True

# %% answers
kept = []


def again(*args):
    kept.append(args)
    for things in kept:
        for thing in things:
            if callable(thing):
                thing(again)
            elif isinstance(thing, list) and len(kept) < 50:
                thing.append(thing)
    return kept


total = over = mean = spread = again
