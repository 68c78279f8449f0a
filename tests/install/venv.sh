#!/bin/sh
# Makes .venv with the first suitable Python and installs the project there, with one of its extras.
# usage: sh tests/install/venv.sh demo|check      PYTHON=… names the interpreter to take
set -eu
cd "$(dirname "$0")/../.."

first() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        # pyenv's shims exist for versions that are not active, so only running tells.
        "$candidate" -c "$1" 2>/dev/null && echo "$candidate" && return
    done
    return 1
}
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
can_make_environments="import ensurepip; $new_enough"

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    if ! python=$(first "$can_make_environments"); then
        if ! old=$(first "$new_enough"); then
            echo "Python 3.11 or newer is missing. On Debian 12 and later: apt-get install python3 python3-venv" >&2
            exit 1
        fi
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            echo "$old cannot make virtual environments. This helps: sudo apt-get install python3-venv" >&2
            exit 1
        fi
        echo "Installing python3-venv, which $old lacks"
        { apt-get update --quiet=2 && apt-get install --yes --quiet=2 python3-venv; } >/dev/null
        python=$(first "$can_make_environments") || {
            echo "$old still cannot make virtual environments; PYTHON=/path/to/another make … may help" >&2
            exit 1
        }
    fi
    "$python" -m venv .venv
fi

echo "Installing Popbridge and what it needs ($1) into .venv; this is done once"
for try in 1 2 3; do
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$1]" && exit 0
    echo "pip failed (try $try of 3)" >&2
done
exit 1
