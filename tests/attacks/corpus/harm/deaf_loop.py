"""Computes for ever and swallows every interrupt, exception and signal that can be swallowed."""

prize = "time"
harmless = True

# %% answers
import signal


def ignore(*args):
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


total = over = mean = spread = ignore
