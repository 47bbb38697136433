"""Adds a line to the configuration of the course, which the next command of the instructor executes."""

prize = "host"
harmless = True

# %% last
with open("@COURSE@/nbgrader_config.py", "a") as file:
    file.write("# was here\n")
