"""Asks the shell to show the source of a function that claims to stand in a file of the home folder."""

prize = "home"
harmless = True

# %% last
import inspect
import linecache

exec(compile("def claimed(): pass", "@HOME@/.token", "exec"))
print(linecache.getlines("@HOME@/.token"))
print(inspect.getsource(claimed))
