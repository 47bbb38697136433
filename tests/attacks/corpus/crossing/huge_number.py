"""Returns a whole number of a million digits, which takes for ever to be written out."""

prize = "time"
harmless = True

# %% answers
import sys

sys.set_int_max_str_digits(0)
number = -(10**1_000_000)
total = over = mean = spread = lambda *args: number
depth = number
