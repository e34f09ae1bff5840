"""Runs the S3 commands that users are shown against an S3 server."""

import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline_def.kubeflow import visualization

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("aws"), reason="the aws command is not installed"),
]

README = pathlib.Path(visualization.__file__).with_name("README.md")
RUN = "v2/artifacts/sample/3f1f0b7c/ProjectorExporter/projection"
FILES = {"sample-1/projector_config.pbtxt": b"embeddings {}", "sample-1/empty": b""}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str]]:
    """Starts an empty S3 server; yields a client and the server's address."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "minio",
        "AWS_SECRET_ACCESS_KEY": "minio123",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    server = moto_server.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    yield boto3.client("s3", endpoint_url=address), address
    server.stop()


@pytest.mark.parametrize("scheme", ["s3", "minio"])
def test_a_projection_is_copied_from_its_uri(
    s3: tuple[Any, str], scheme: str, tmp_path: pathlib.Path
) -> None:
    client, address = s3
    client.create_bucket(Bucket="mlpipeline")
    for name, content in FILES.items():
        client.put_object(Bucket="mlpipeline", Key=f"{RUN}/{name}", Body=content)
    # The directory marker that TensorFlow's file systems write.
    client.put_object(Bucket="mlpipeline", Key=f"{RUN}/")

    copy, show = visualization.commands(f"{scheme}://mlpipeline/{RUN}").splitlines()
    command = copy.replace("http://localhost:9000", address)
    environment = os.environ | ({"AWS_ENDPOINT_URL": address} if scheme == "s3" else {})
    subprocess.run(command, shell=True, cwd=tmp_path, env=environment, check=True)

    assert show == "tensorboard --logdir projection"
    copied = tmp_path / "projection"
    files = [path for path in copied.rglob("*") if path.is_file()]
    assert {str(path.relative_to(copied)): path.read_bytes() for path in files} == FILES


def test_directory_markers_are_removed(s3: tuple[Any, str]) -> None:
    client, address = s3
    client.create_bucket(Bucket="models")
    empty_file = "blessed/Format-Serving/assets/empty"
    for key in ("blessed/", "blessed/Format-Serving/", empty_file, "other/"):
        client.put_object(Bucket="models", Key=key)
    client.put_object(Bucket="models", Key="blessed/full", Body=b"1")

    (command,) = re.findall(r"^aws s3api list-objects-v2 .*?\n\n", README.read_text(), re.M | re.S)
    environment = os.environ | {"AWS_ENDPOINT_URL": address}
    subprocess.run(command.partition("```")[0], shell=True, env=environment, check=True)

    listed = client.list_objects_v2(Bucket="models")["Contents"]
    assert [found["Key"] for found in listed] == [empty_file, "blessed/full", "other/"]
