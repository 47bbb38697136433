"""Reads the gradebook's file."""

prize = "gradebook"
harmless = True

# %% last
print(open("@COURSE@/gradebook.db", "rb").read())
