#!/bin/sh
# Makes .venv from the lock: scripts/environment.sh PYTHON_VERSION
# Needs git, make and any Python 3.8+ with venv; uv itself goes into .tools.
set -eu
UV_VERSION=0.13.9
want=$1
uv=.tools/bin/uv

refuse() { echo "Cannot set up the environment: $*" >&2; exit 1; }

check_machine() {
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
        refuse "TFX is built for Linux on x86_64, and this is $(uname -s) on $(uname -m)."
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)
    [ -n "$glibc" ] || refuse "TFX is built for glibc, and this system has another C library."
    case $want in
        3.10) need=2.17 ;;
        3.11 | 3.12 | 3.13) need=2.39 ;;
        *) refuse "Python $want has no TFX; Python 3.10 to 3.13 do (make PYTHON=3.10 ...)." ;;
    esac
    [ "$(printf '%s\n' "$need" "$glibc" | sort -V | head -n 1)" = "$need" ] ||
        refuse "TFX for Python $want needs glibc $need or newer, and this system has" \
            "$glibc; Python 3.10 works with glibc 2.17 or newer (make PYTHON=3.10 ...)."
}

install_uv() {
    "$uv" --version 2>/dev/null | grep -q "^uv $UV_VERSION" && return
    for python in python3 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8; do
        "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 8))' \
            2>/dev/null && break
        python=
    done
    [ -n "$python" ] ||
        refuse "no Python 3.8 or newer with the venv module is on PATH (Debian: python3-venv)."
    echo "Installing uv $UV_VERSION into .tools"
    "$python" -m venv --clear .tools
    .tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
}

# uv looks on PATH and among its own; pyenv's interpreters need not be on PATH.
find_python() {
    "$uv" python find --no-project --no-python-downloads "$want" 2>/dev/null && return
    home=$(getent passwd "$(id -u)" | cut -d: -f6)
    for root in "${PYENV_ROOT:-}" "$HOME/.pyenv" "$home/.pyenv"; do
        for python in "$root/versions/$want".*/bin/python; do
            [ -x "$python" ] && echo "$python" && return
        done
    done
    echo "Downloading Python $want" >&2
    "$uv" python install --quiet "$want" && echo "$want" ||
        refuse "Python $want is not installed and could not be downloaded (uv's error is above);" \
            "install it, for example with pyenv, and try again."
}

check_machine
install_uv
python=$(find_python) || exit 1
echo "Installing the locked packages for Python $want into .venv"
"$uv" sync --quiet --frozen --python "$python" ||
    refuse "uv could not install the locked packages with Python $want (its error is above)."
