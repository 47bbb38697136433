"""Who keeps the limits on memory and processes on this machine: Linux, where control groups can be had, or the watcher.

The lists are for `parametrize`: where there is nothing to test, there is no test.
"""

import os

from autograder.kernel import cgroup

GROUPS = [groups] if (groups := cgroup.groups()) is not None else []

#: The group of this process in a tree of version 2, if groups can be made there, with or without the right controllers.
UNIFIED = [folder] if (folder := cgroup.own_folder("")) is not None and os.access(folder, os.W_OK) else []

KEEPERS = ["watcher", *("Linux" for _ in GROUPS)]
