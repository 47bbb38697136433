"""System calls that Python lacks."""

import subprocess
import sys

PROGRAM = """
import hashlib, os
from autograder.kernel import linux
blocks = [os.urandom(1 << 20) for _ in range(24)]
before = hashlib.sha256(b"".join(blocks)).hexdigest()
linux.collapse_memory()
if (child := os.fork()) == 0:
    for number in range(0, 24, 2):
        blocks[number] = bytes(1 << 20)
    os._exit(0)
os.waitpid(child, 0)
print(before == hashlib.sha256(b"".join(blocks)).hexdigest())
"""


def test_memory_in_huge_pages_holds_what_it_held_and_a_child_changes_its_own():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
