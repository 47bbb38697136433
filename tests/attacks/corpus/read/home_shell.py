"""Reads the home folder through a command of the shell."""

prize = "home"
harmless = True

# %% last
get_ipython().system("cat @HOME@/.token ~/.token")
