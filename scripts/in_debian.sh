#!/bin/sh
# Runs a command on this work tree inside a Debian 13 root: scripts/in_debian.sh ROOT COMMAND…
# The command runs in a copy of the tree, /project, which keeps its own .venv, .tools and output from
# one call to the next. TFDS_DATA_DIR is mounted there, read-only. Needs root.
set -eu
root=$(realpath -m "$1")
shift
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null ||
    { echo "A Debian root needs root and the right to mount: sudo $0 $root $*" >&2; exit 1; }
mkdir -p "$(dirname "$root")"
exec 9>"$root.lock"
flock -n 9 || { echo "Another command runs in $root; waiting for it." >&2; flock 9; }
if [ ! -e "$root" ]; then
    scripts/debian_tar.sh output/debian-13.tar
    rm -rf "$root.unfinished"
    mkdir "$root.unfinished"
    tar --extract --file output/debian-13.tar --directory "$root.unfinished"
    mv "$root.unfinished" "$root"
fi
project=$root/project
mkdir -p "$project"
find "$project" -mindepth 1 -maxdepth 1 \
    ! -name .venv ! -name .tools ! -name output -exec rm -rf {} +
# git also lists files that are deleted but not yet committed; tar only warns of them.
git ls-files -z --cached --others --exclude-standard --deduplicate |
    tar -c --null --files-from=- --ignore-failed-read | tar -x -C "$project"

data=
if [ -n "${TFDS_DATA_DIR:-}" ]; then
    data=$(realpath "$TFDS_DATA_DIR")
    mkdir -p "$root/tfds"
fi

# The mounts are in the command's own namespace, so they go when it ends, however it ends.
export root data
exec unshare --mount --pid --fork --kill-child sh -euc '
    mount --bind "$root" "$root"  # `ip netns exec` wants / to be a mount.
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    for file in /etc/hosts /etc/resolv.conf; do
        touch "$root$file"
        mount --bind "$file" "$root$file"
    done
    if [ -n "$data" ]; then
        mount --bind "$data" "$root/tfds"
        mount -o remount,bind,ro "$root/tfds"
    fi
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LANG=C.UTF-8 TERM=dumb SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
        ${data:+TFDS_DATA_DIR=/tfds} \
        chroot "$root" sh -c "cd /project && exec \"\$@\"" sh "$@"
' sh "$@"
