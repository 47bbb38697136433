"""Spoils the work of the student who is graded next."""

prize = "host"
harmless = True

# %% last
open("@COURSE@/submitted/honest/@ASSIGNMENT@/@ASSIGNMENT@.ipynb", "w").write("{}")
