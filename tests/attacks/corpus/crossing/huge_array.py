"""Returns an array that says it has a billion elements and holds one."""

prize = "host"
harmless = False

# %% answers
import numpy

total = over = mean = spread = lambda *args: numpy.broadcast_to(numpy.float64(1.5), (1_000_000_000,))
