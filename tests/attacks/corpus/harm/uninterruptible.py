"""Works in compiled code for ever, where no interrupt arrives."""

prize = "time"
harmless = True

# %% first
import itertools

sum(itertools.repeat(0))
