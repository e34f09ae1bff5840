#!/bin/sh
# Builds the image: scripts/build_image.sh NAME BASE
# If the base is not on this machine and cannot be pulled, makes a bare Debian 13 and uses it.
set -eu
name=$1
base=$2
debian=output/debian-13.tar

if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull --quiet "$base"; then
    echo "Cannot pull $base: starting from debian-root:13, made here"
    base=debian-root:13
    if ! docker image inspect "$base" >/dev/null 2>&1; then
        scripts/debian_tar.sh "$debian"
        docker import "$debian" "$base"
    fi
fi
# The build needs the machine's network to reach the package registry.
docker build --network host --build-arg BASE="$base" --tag "$name" .
