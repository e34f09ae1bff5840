#!/bin/sh
# Runs a command with a Docker daemon: scripts/with_docker.sh COMMAND...
# If none answers and the caller is root, starts Debian's until the command ends, with its data in
# output/docker and no network but the machine's own.
set -eu

daemon_answers() { docker version >/dev/null 2>&1; }

daemon_answers && exec "$@"
[ "$(id -u)" = 0 ] ||
    { echo "No Docker daemon answers ('docker version'). Start one, or call this as root." >&2; exit 1; }
if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    echo "Installing docker.io"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y docker.io >/dev/null
    daemon_answers && exec "$@" # The package has started it, where there is an init to do so.
fi

data=$PWD/output/docker
log=$data.log
run=$(mktemp -d) # A socket's path must be short.
mkdir -p "$data"
export DOCKER_HOST="unix://$run/docker.sock"
dockerd --host "$DOCKER_HOST" --data-root "$data" --exec-root "$run" --pidfile "$run/pid" \
    --bridge none --iptables=false --ip6tables=false --ip-masq=false \
    --exec-opt native.cgroupdriver=cgroupfs >"$log" 2>&1 &
daemon=$!
stop() {
    kill "$daemon" 2>/dev/null && wait "$daemon" || true
    umount "$run"/netns/* 2>/dev/null || true # The daemon leaves it mounted.
    rm -rf "$run"
}
trap stop EXIT
trap 'exit 130' INT TERM
until daemon_answers; do
    kill -0 "$daemon" 2>/dev/null ||
        { echo "dockerd does not start; the end of $log:" >&2; tail -n 5 "$log" >&2; exit 1; }
    sleep 0.2
done
"$@"
