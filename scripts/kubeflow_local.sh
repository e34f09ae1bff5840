#!/bin/sh
# Compiles the configured pipeline, and runs it with kfp.local from within the image:
# scripts/kubeflow_local.sh IMAGE
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

export PIPELINE__KUBEFLOW__IMAGE="$image" PIPELINE__KUBEFLOW__PUSH_DESTINATION="$store/serving"
export PIPELINE__KUBEFLOW__VOLUMES="[{claim: store, mount_path: '$store'}]"
python -m pipeline_def.kubeflow compile --output "$store/pipeline.yaml"

exec docker run --rm --network host \
    --user "$user:0" --group-add "$(stat -c %g "$socket")" \
    --volume "$socket:/var/run/docker.sock" --volume "$store:$store" \
    "$image" python -m pipeline_def.kubeflow.local "$store/pipeline.yaml" "$store"
