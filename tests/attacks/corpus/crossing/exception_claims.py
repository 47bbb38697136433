"""Raises an exception of the grader's own, of which a test might take notice as if the check had passed."""

prize = "points"
harmless = True

# %% answers
from autograder.student import protocol


def raises(kind, *args):
    def answer(*_):
        raise kind(*args)

    return answer


total = raises(protocol.Wrong, "", {})
over = raises(protocol.NotAttempted, "over")
mean = raises(StopIteration, 4.0)
spread = raises(GeneratorExit)
