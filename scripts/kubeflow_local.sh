#!/bin/sh
# Runs the compiled pipeline with kfp.local, from within the image: scripts/kubeflow_local.sh IMAGE
# PIPELINE_CONFIG, a path in the image, and PIPELINE__... configure the pipeline.
set -eu
image=$1
store=$PWD/output/kubeflow-local
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${socket#unix://}
[ -S "$socket" ] ||
    { echo "The Docker daemon must be one of this machine; $socket is no socket." >&2; exit 1; }

# No step runs as root: if root calls this, the image's own user runs them.
mkdir -p "$store"
user=$(id -u)
[ "$user" != 0 ] || { user=1000; chown "$user:0" "$store"; }

variables=$(env | sed -n 's/^\(PIPELINE_[A-Za-z0-9_]*\)=.*/--env \1/p')
# shellcheck disable=SC2086 # The variables are words.
exec docker run --rm --network host \
    --user "$user:0" --group-add "$(stat -c %g "$socket")" \
    --volume "$socket:/var/run/docker.sock" --volume "$store:$store" \
    $variables --env PIPELINE__KUBEFLOW__IMAGE="$image" \
    --env PIPELINE__KUBEFLOW__PUSH_DESTINATION="$store/serving" \
    --env PIPELINE__KUBEFLOW__VOLUMES="[{claim: store, mount_path: '$store'}]" \
    "$image" python -m pipeline_def.kubeflow.local "$store"
