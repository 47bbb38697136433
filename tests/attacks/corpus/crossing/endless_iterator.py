"""Returns iterators that never end."""

prize = "time"
harmless = True

# %% answers
import itertools


class Endless(list):
    def __iter__(self):
        return itertools.count()

    def __contains__(self, other):
        return other in itertools.count(10**9)


total = mean = lambda *args: itertools.repeat(0)
over = lambda *args: Endless([1])
spread = lambda *args: (n for n in itertools.count())
