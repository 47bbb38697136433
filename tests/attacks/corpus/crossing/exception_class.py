"""Raises an exception whose class lies about its text, its cause, its traceback and its attributes."""

prize = "points"
harmless = True


# %% answers
class Strange(BaseException):
    def __str__(self):
        raise self

    __repr__ = __str__

    def __getattribute__(self, name):
        if name in ("__traceback__", "__cause__", "__context__", "__class__", "__dict__"):
            return None
        raise self

    @property
    def args(self):
        raise self


def answer(*args):
    raise Strange()


total = over = mean = spread = answer
