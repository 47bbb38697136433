"""The kernelspec of warm, sandboxed kernels. It comes with the package, so that nobody has to install it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

#: What nbgrader and Jupyter call it.
KERNEL = "ustod"
#: A folder as in JUPYTER_PATH, with the kernelspec in it.
FOLDER = Path(__file__).with_name("jupyter")
SPEC = FOLDER / "kernels" / KERNEL / "kernel.json"


def offer_kernel() -> str:
    """Let this process and its children find the kernelspec, through JUPYTER_PATH; no other program sees it.

    Returns:
        Its name; an empty text, which means the notebook's own kernel, on systems other than Linux, where nothing can
        be shut in.
    """
    if sys.platform != "linux":
        return ""
    known = os.environ.get("JUPYTER_PATH", "").split(os.pathsep)
    if str(FOLDER) not in known:
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(FOLDER), *known]))
    return KERNEL
