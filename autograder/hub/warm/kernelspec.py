"""Where JupyterLab finds the kernel. It comes with the package, so that nobody has to install it."""

from __future__ import annotations

from pathlib import Path

#: What Jupyter calls it.
KERNEL = "ustod-ready"
#: A folder for JUPYTER_PATH, with the kernelspec in it.
FOLDER = Path(__file__).with_name("jupyter")
#: The environment variable that names the daemon's socket.
SOCKET = "USTOD_WARM_SOCKET"
