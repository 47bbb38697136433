"""Reads a file in the home folder of whoever grades."""

prize = "home"
harmless = True

# %% last
print(open("@HOME@/.token").read())
