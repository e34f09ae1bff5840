#!/bin/sh
# Makes a bare Debian 13 (glibc 2.41, Python 3.13) as a tar file: scripts/debian_tar.sh FILE
# Needs root and debootstrap. in_debian.sh runs the current track in it on an older machine, and
# build_image.sh makes the image from it if no base can be pulled.
set -eu
file=$1
[ -e "$file" ] && exit
[ "$(id -u)" = 0 ] || { echo "debootstrap needs root: sudo $0 $file" >&2; exit 1; }
command -v debootstrap >/dev/null ||
    { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }
mkdir -p "$(dirname "$file")"
unfinished=$(mktemp -d "$(realpath "$file").XXXXXX")
trap 'rm -rf "$unfinished"' EXIT
echo "Making a Debian 13 in $file"
debootstrap --variant=minbase \
    --include=ca-certificates,g++,git,iproute2,make,python3-dev,python3-venv \
    trixie "$unfinished/root" >"$unfinished/log" 2>&1 ||
    { echo "debootstrap failed; the end of its log:" >&2; tail -n 5 "$unfinished/log" >&2; exit 1; }
# It trusts the same certificate authorities as this machine.
cp -L /etc/ssl/certs/ca-certificates.crt "$unfinished/root/etc/ssl/certs/"
tar --create --file "$unfinished/tar" --directory "$unfinished/root" --exclude './var/cache/apt/*' .
mv "$unfinished/tar" "$file"
