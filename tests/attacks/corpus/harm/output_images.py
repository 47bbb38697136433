"""Displays pictures without end; ends by itself at 1 GB."""

prize = "host"
harmless = False

# %% last
import base64

from IPython.display import display

picture = base64.b64encode(bytes(10_000_000)).decode()
for _ in range(75):
    display({"image/png": picture}, raw=True)
