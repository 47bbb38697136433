"""Leaves a file that every later shell executes when it starts."""

prize = "points"
harmless = True

# %% last
import os

for root in ("@STATE@/ipythondir", "@HOME@/.ipython", os.path.expanduser("~/.ipython")):
    folder = f"{root}/profile_default/startup"
    try:
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/00-attack.py", "w") as file:
            file.write("import sys\nsys.stderr.write('was here')\n")
    except OSError as error:
        print(type(error).__name__)
