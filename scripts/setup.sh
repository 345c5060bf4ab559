#!/bin/sh
# Finds a Python that can run Straddle, and hands over to setup.py, which does the rest. `make setup` calls this.
#
#     sh scripts/setup.sh                     the newest of python3.13, python3.12, python3.11 and python3 that works
#     PYTHON=/path/to/python sh scripts/setup.sh
#     sh scripts/setup.sh --but-core          all but the compiled core, which `make compile` makes itself
#
# Holds: whatever is refused is refused by name, with what to install instead.
# Never: installs anything itself, or changes anything outside this folder.

set -eu
cd "$(dirname "$0")/.."
# Not the environment's own Python: it may have to be replaced.
PATH=${PATH#"$PWD/.venv/bin:"}
asked="$*"
if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3.13 python3.12 python3.11 python3
fi

# An interpreter must start (a name on the PATH may be a dead shim), be new enough, and be able to make a virtual environment.
starts='import sys; print("%d.%d" % sys.version_info[:2])'
is_new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
makes_environments='import ensurepip, venv'

no_venv=""
seen=""
for candidate in "$@"; do
    version=$("$candidate" -c "$starts" 2>/dev/null) || continue
    seen="$seen $candidate ($version)"
    "$candidate" -c "$is_new_enough" 2>/dev/null || continue
    if "$candidate" -c "$makes_environments" 2>/dev/null; then
        exec "$candidate" scripts/setup.py $asked
    fi
    no_venv="${no_venv:-$candidate ($version)}"
done

if [ -n "$no_venv" ]; then
    version=${no_venv##*\(}
    version=${version%\)}
    cat >&2 <<MESSAGE
$no_venv is here, but cannot make a virtual environment: its modules venv and ensurepip are not installed.
  Debian, Ubuntu:  apt install python3-venv   (or python$version-venv)
MESSAGE
else
    cat >&2 <<MESSAGE
Straddle needs Python 3.11 or newer. Found:${seen:- none that starts}.
  Debian 12, Ubuntu 24.04 or newer:  apt install python3 python3-venv
  Fedora:                            dnf install python3
  macOS:                             brew install python@3.13
  or any other Python:               make setup PYTHON=/path/to/python
MESSAGE
fi
exit 1
