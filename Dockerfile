# The image that the steps of the pipeline run in on Kubeflow: `make image`.
# BASE can be any image with apt, glibc 2.39 or newer, and Python 3.13 as python3.
ARG BASE=python:3.13-slim-trixie

FROM $BASE AS environment
# For the locked packages that have no wheel.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ python3-dev
WORKDIR /app
COPY pyproject.toml uv.lock ./
COPY scripts/environment.sh scripts/
ENV UV_NO_CACHE=1 UV_NO_DEV=1 UV_NO_INSTALL_PROJECT=1 UV_SYSTEM_CERTS=1
RUN scripts/environment.sh 3.13

FROM $BASE
# There is no ENTRYPOINT: a step's command would replace it on Kubernetes, but not in kfp.local.
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 TF_CPP_MIN_LOG_LEVEL=3 \
    HOME=/home/tfx USER=tfx
WORKDIR /app
# A cluster such as OpenShift may run a step as any uid, but in group 0.
RUN useradd --uid 1000 --gid 0 --home-dir $HOME --create-home tfx && chmod g+rwX $HOME
# KFP's launcher writes to these; before KFP 2.3 it mounts no volumes there
# (kubeflow/pipelines#10397).
RUN mkdir /gcs /minio /s3 && chmod g+rwX /gcs /minio /s3
COPY --from=environment /app/.venv .venv
COPY . .
RUN chmod -R a+rX components pipeline_def schemas && python -m compileall -q components pipeline_def
USER 1000:0
