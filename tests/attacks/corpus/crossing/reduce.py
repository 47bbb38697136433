"""Returns objects that run code wherever they are unpickled or copied."""

prize = "host"
harmless = True

# %% answers
import os


class Runs:
    def __reduce__(self):
        return os.system, ("touch @DROP@/unpickled",)

    def __deepcopy__(self, memo):
        return 5

    def __copy__(self):
        return 5


total = over = mean = spread = lambda *args: Runs()
depth = Runs()
