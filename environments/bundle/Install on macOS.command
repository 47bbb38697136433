#!/bin/sh
# Installs Ustod from the stick that this file lies on. No network is used.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
# A double click starts a shell that may not know where python.org puts its programs.
PATH="$PATH:/usr/local/bin:/opt/homebrew/bin:/Library/Frameworks/Python.framework/Versions/3.11/bin"
for python in python3.11 python3; do
    if command -v "$python" >/dev/null 2>&1; then
        exec env PYTHONDONTWRITEBYTECODE=1 "$python" "$here/install.py" "$@"
    fi
done
echo "Python 3.11 is not installed on this computer. Install it, then start this again." >&2
exit 1
