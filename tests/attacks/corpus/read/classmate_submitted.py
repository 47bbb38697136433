"""Reads the answers of a classmate where they were handed in."""

prize = "classmate"
harmless = True

# %% last
print(open("@COURSE@/submitted/classmate/@ASSIGNMENT@/@ASSIGNMENT@.ipynb").read())
