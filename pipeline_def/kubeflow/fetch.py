"""Brings the projection of a run on a cluster to this machine."""

import http.client
import os
import pathlib
import shutil
import tarfile
import tempfile
import urllib.parse

import tensorflow as tf
from google.protobuf import text_format
from ml_metadata.proto import metadata_store_pb2
from tensorboard.plugins.projector import ProjectorConfig
from tfx.dsl.io import fileio

from components.projector_exporter.tensors import checkpoint_files
from components.projector_exporter.verify import CONFIG, verify
from pipeline_def.kubeflow import lineage
from pipeline_def.kubeflow.client import Cluster, ClusterError

OUTPUT = "projection"

# Stores that may be the cluster's own: its UI hands their files out, as they are.
_SERVED = ("minio", "s3")


def fetch_projection(cluster: Cluster, run_id: str, directory: pathlib.Path) -> None:
    """Downloads the projection that a run made or took from the cache, whole or not at all.

    Args:
        cluster: Where it ran; its host is that of the UI.
        run_id: The run.
        directory: Where to; must not exist. The projection is in a directory of its own in it,
            called as TensorBoard calls the run.

    Raises:
        ClusterError: There is no such run, it has no projection, or that cannot be had.
    """
    run = cluster.run(run_id)
    artifact = lineage.output(cluster, run_id, OUTPUT)
    if artifact is None:
        raise ClusterError(
            f"The run {run_id} has no projection; its state is {run.state}. "
            f"See {cluster.link('runs', 'details', run_id)}."
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".unfinished-") as parent:
        unfinished = pathlib.Path(parent, directory.name)
        unfinished.mkdir()
        if urllib.parse.urlsplit(artifact.uri).scheme in _SERVED:
            _download(cluster, artifact, unfinished)
        else:
            _copy(artifact.uri, unfinished)
        if violations := verify(str(unfinished / _run_name(artifact))):
            raise ClusterError(
                f"What came of {artifact.uri} is no whole projection: {violations[0]}"
            )
        unfinished.rename(directory)


def _download(
    cluster: Cluster, artifact: metadata_store_pb2.Artifact, directory: pathlib.Path
) -> None:
    try:
        with (
            _open(cluster, artifact) as answer,
            tarfile.open(fileobj=answer, mode="r|gz") as archive,
        ):
            archive.extractall(directory, filter="data")
    except (ClusterError, tarfile.ReadError):  # UIs before 2.17 serve single files only.
        _download_files(cluster, artifact, directory)


def _download_files(
    cluster: Cluster, artifact: metadata_store_pb2.Artifact, directory: pathlib.Path
) -> None:
    """Downloads what TensorBoard reads, each file named by one that came before."""
    run_name = _run_name(artifact)
    run = directory / run_name
    run.mkdir(exist_ok=True)

    def download(name: str) -> pathlib.Path:
        with (
            _open(cluster, artifact, f"{run_name}/{name}") as answer,
            (run / name).open("wb") as file,
        ):
            shutil.copyfileobj(answer, file)
        return run / name

    config = text_format.Parse(download(CONFIG).read_text(encoding="utf-8"), ProjectorConfig())
    for embedding in config.embeddings:
        for name in {embedding.metadata_path, embedding.bookmarks_path} - {""}:
            download(name)
    noted = artifact.custom_properties
    rows, columns = (int(noted[name].double_value) for name in ("rows", "dimensions"))
    for name in checkpoint_files(rows, columns):
        download(name)
    tf.summary.create_file_writer(str(run)).close()  # Its name there is not known.


def _run_name(artifact: metadata_store_pb2.Artifact) -> str:
    """Gives the property of an EmbeddingProjection; KFP keeps all of an artifact as custom ones."""
    return artifact.custom_properties["run_name"].string_value


def _open(
    cluster: Cluster, artifact: metadata_store_pb2.Artifact, file: str = ""
) -> http.client.HTTPResponse:
    """Asks the UI's server for a file of an artifact, or for all in one archive.

    Format: frontend/server/handlers/artifacts.ts of kubeflow/pipelines.
    """
    place = urllib.parse.urlsplit(artifact.uri)
    key = urllib.parse.quote(f"{place.path.strip('/')}/{file}".rstrip("/"))
    # How the UI logs in to a store that has credentials of its own.
    session = artifact.custom_properties["store_session_info"].string_value
    query = {"namespace": cluster.namespace, "providerInfo": session}
    encoded = urllib.parse.urlencode({name: value for name, value in query.items() if value})
    return cluster.open(f"/artifacts/{place.scheme}/{place.netloc}/{key}?{encoded}")


def _copy(uri: str, directory: pathlib.Path) -> None:
    """Copies from a store that this machine can read by itself, such as gs://."""
    try:
        fileio.listdir(uri)  # The walk would say nothing of what it cannot read.
        for parent, _, names in fileio.walk(uri):
            place = directory / os.path.relpath(parent, uri)
            place.mkdir(exist_ok=True)
            for name in names:
                fileio.copy(os.path.join(parent, name), str(place / name))
    except Exception as error:  # Each file system has exceptions of its own.
        raise ClusterError(
            f"{uri} cannot be read from here: {error}. This machine needs credentials for it, "
            "for gs:// those of `gcloud auth application-default login`."
        ) from error
