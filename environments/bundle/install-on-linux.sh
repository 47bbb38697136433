#!/bin/sh
# Installs Ustod from the stick that this file lies on. No network is used, and no root.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
for python in python3 python3.11; do
    if command -v "$python" >/dev/null 2>&1; then
        exec env PYTHONDONTWRITEBYTECODE=1 "$python" "$here/install.py" "$@"
    fi
done
echo "Python 3.11 is not installed on this computer. Install it, then start this again." >&2
exit 1
