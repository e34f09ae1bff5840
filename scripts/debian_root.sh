#!/bin/sh
# Makes a bare Debian 13 (glibc 2.41, Python 3.13) in a directory: scripts/debian_root.sh DIR
# Needs root and debootstrap. in_debian.sh runs the current track in it on an older machine, and
# build_image.sh makes the image from it if no base can be pulled.
set -eu
root=$1
[ -e "$root" ] && exit
[ "$(id -u)" = 0 ] || { echo "Only root can make a Debian root: sudo $0 $root" >&2; exit 1; }
command -v debootstrap >/dev/null ||
    { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }
unfinished=$root.unfinished-$$
log=$unfinished.log
trap 'rm -rf "$unfinished"' EXIT
mkdir -p "$(dirname "$root")"
echo "Making a Debian 13 root in $root"
debootstrap --variant=minbase \
    --include=ca-certificates,g++,git,iproute2,make,python3-dev,python3-venv \
    trixie "$unfinished" >"$log" 2>&1 ||
    { echo "debootstrap failed; the end of $log:" >&2; tail -n 5 "$log" >&2; exit 1; }
# It trusts the same certificate authorities as this machine.
cp -L /etc/ssl/certs/ca-certificates.crt "$unfinished/etc/ssl/certs/"
rm -f "$log"
mv "$unfinished" "$root"
