"""Opens the instructor's source notebook where the course lies."""

prize = "solution"
harmless = True

# %% last
print(open("@COURSE@/source/@ASSIGNMENT@/@ASSIGNMENT@.ipynb").read())
