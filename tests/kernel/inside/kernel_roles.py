"""What children do in the tests of the kernel: run a piece of Python and say what its `answer` is."""

import json
import os


def run(fd, source):
    names = {"fd": fd}
    exec(source, names)
    os.write(fd, json.dumps(names.get("answer")).encode())
    return names.get("code", 0)


def echo(fd, *args):
    os.write(fd, json.dumps(args).encode())
