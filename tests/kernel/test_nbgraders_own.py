"""nbgrader's own tests of `nbgrader autograde`, unmodified, pass where every kernel is a warm and sandboxed one."""

import contextlib
import os
import re
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import nbgrader
import psutil
import pytest

from autograder.kernel.provisioner import install

OWN = Path(nbgrader.__file__).parent / "tests" / "apps" / "test_nbgrader_autograde.py"


@pytest.mark.slow
def test_they_pass(tmp_path):
    install("python3", prefix=str(tmp_path), modules=["IPython"])  # in the place of the usual kernel
    environment = {
        **os.environ,
        "JUPYTER_PATH": str(tmp_path / "share" / "jupyter"),
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
    }
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(OWN)]
    with subprocess.Popen(line, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as tests:
        seen: set[str] = set()
        watch = threading.Thread(target=look_for_kernels, args=(psutil.Process(tests.pid), seen))
        watch.start()
        said = tests.communicate()[0]
        watch.join()
    assert tests.returncode == 0, said
    assert int(re.search(r"(\d+) passed", said)[1]) >= 40
    assert seen == {"bwrap"}


def look_for_kernels(process, seen):
    """Note what runs notebooks below `process` until it ends: bubblewrap, or the usual program."""
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:
            for child in process.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    seen.update({"bwrap", "ipykernel_launcher"}.intersection(Path(w).name for w in child.cmdline()))
            time.sleep(0.2)
