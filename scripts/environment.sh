#!/bin/sh
# Makes .venv from the lock: scripts/environment.sh PYTHON_VERSION
# Without a version it only prints the one that suits this machine: the newest installed one of the
# current track (TFX 1.21) if the machine supports that track, otherwise 3.10 (TFX 1.16).
# Needs git, make, a C++ compiler and any Python 3.8+ with venv; uv itself goes into .tools.
set -eu
UV_VERSION=0.13.9
CURRENT="3.13 3.12 3.11"
want=${1:-}
uv=.tools/bin/uv
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)

refuse() { echo "Cannot set up the environment: $*" >&2; exit 1; }

has_glibc() {
    [ -n "$glibc" ] && [ "$(printf '%s\n' "$1" "$glibc" | sort -V | head -n 1)" = "$1" ]
}

# These are the platforms that TFX's compiled dependencies have wheels for.
runs_here() {
    case $(uname -s)-$(uname -m)-$1 in
        Linux-x86_64-3.10) has_glibc 2.17 ;;
        Linux-x86_64-3.1[123]) has_glibc 2.39 ;;
        Darwin-arm64-3.1[123]) ;;
        *) return 1 ;;
    esac
}

# pyenv's interpreters may be missing from PATH, and pyenv's shims on PATH may not run.
find_installed() {
    "python$1" -c '' 2>/dev/null && command -v "python$1" && return
    home=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6)
    for root in "${PYENV_ROOT:-}" "$HOME/.pyenv" "$home/.pyenv"; do
        for python in "$root/versions/$1".*/bin/python; do
            [ -x "$python" ] && echo "$python" && return
        done
    done
    return 1
}

choose_version() {
    for version in $CURRENT; do
        runs_here "$version" && find_installed "$version" >/dev/null && echo "$version" && return
    done
    echo 3.10
}

check_machine() {
    runs_here "$want" ||
        refuse "TFX is built for Python 3.10 on Linux x86_64 with glibc 2.17 or newer, and for" \
            "Python 3.11 to 3.13 on Linux x86_64 with glibc 2.39 or newer and on macOS arm64;" \
            "this is Python $want on $(uname -s) $(uname -m)${glibc:+ with glibc $glibc}" \
            "(make PYTHON=... chooses another)."
}

install_uv() {
    [ "$("$uv" --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ] && return
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

find_python() {
    "$uv" python find --no-project --no-python-downloads "$want" 2>/dev/null && return
    find_installed "$want" && return
    echo "Downloading Python $want" >&2
    "$uv" python install --quiet "$want" && echo "$want" ||
        refuse "Python $want is not installed and could not be downloaded (uv's error is above);" \
            "install it, for example with pyenv, and try again."
}

# pyfarmhash, which TensorFlow Data Validation needs, comes as source only.
check_compiler() {
    command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
        refuse "a part of TFX is compiled, and there is no C++ compiler (Debian: g++)."
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))' 2>/dev/null) ||
        return 0  # Not a path but a version, which uv has downloaded, with headers.
    [ -e "$headers/Python.h" ] ||
        refuse "a part of TFX is compiled, and $headers/Python.h is missing (Debian: python3-dev)."
}

if [ -z "$want" ]; then
    choose_version
    exit
fi
check_machine
install_uv
python=$(find_python) || exit 1
echo "Installing the locked packages for Python $want into .venv"
"$uv" sync --quiet --frozen --python "$python" || {
    check_compiler
    refuse "uv could not install the locked packages with Python $want (its error is above)."
}
