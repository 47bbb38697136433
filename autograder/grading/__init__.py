"""Grade submissions: `plan` decides what is stale, `run` executes one, `record` alone writes the gradebook."""

from autograder.environment import spare_slow_imports

spare_slow_imports()  # before any module of the package imports nbgrader
