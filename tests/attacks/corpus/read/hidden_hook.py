"""Prints the source of every cell, with the hidden checks, from a hook that runs before it."""

prize = "hidden checks"
harmless = True

# %% first
get_ipython().events.register("pre_run_cell", lambda info: print(info.raw_cell))
