"""Changes a file in the home folder of whoever grades."""

prize = "host"
harmless = True

# %% last
open("@HOME@/notes.txt", "a").write("and bring the keys\n")
