"""Writes a file into a folder of the machine to which anybody may write."""

prize = "host"
harmless = True

# %% last
open("@DROP@/was-here", "w").write("x")
