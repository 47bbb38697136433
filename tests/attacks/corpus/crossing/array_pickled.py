"""Returns arrays, tables and tensors whose elements run code wherever they are unpickled."""

prize = "host"
harmless = True

# %% answers
import os

import numpy
import pandas


class Runs:
    def __reduce__(self):
        return os.system, ("touch @DROP@/unpickled",)


total = mean = lambda *args: numpy.array([Runs()], dtype=object)
over = spread = lambda *args: pandas.DataFrame({"x": [Runs()]})
depth = numpy.array([Runs()], dtype=object)
