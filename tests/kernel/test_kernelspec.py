"""The kernelspec is found by those who are told of it, and by nobody else."""

import os
import subprocess
import sys

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from autograder.kernel.kernelspec import FOLDER, KERNEL, offer_kernel
from autograder.kernel.provisioner import NAME


@pytest.fixture(autouse=True)
def untold(monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "/a/folder")


def test_it_is_offered_to_this_process_and_its_children(tmp_path):
    with pytest.raises(NoSuchKernel):
        KernelSpecManager().get_kernel_spec(KERNEL)
    assert offer_kernel() == KERNEL
    assert KERNEL in KernelSpecManager().find_kernel_specs()
    ask = "from jupyter_client.kernelspec import get_kernel_spec; print(get_kernel_spec('ustod').metadata)"
    told = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True)
    assert f"'provisioner_name': '{NAME}'" in told.stdout, told.stderr


def test_to_offer_it_twice_is_to_offer_it_once():
    offer_kernel()
    once = os.environ["JUPYTER_PATH"]
    offer_kernel()
    assert os.environ["JUPYTER_PATH"] == once == f"{FOLDER}{os.pathsep}/a/folder"


def test_other_systems_have_no_such_kernel(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert offer_kernel() == ""
    assert os.environ["JUPYTER_PATH"] == "/a/folder"
