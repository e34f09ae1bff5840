import json
import math
import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from . import harness

OPTIONS: dict[str, Any] = {"learning_rate": 0.01, "epochs": 2, "early_stopping_patience": 0}


def _start(tf_config: dict[str, Any] | None = None, **options: Any) -> subprocess.Popen[str]:
    root = str(pathlib.Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_CONFIG", None)
    if tf_config:
        environment["TF_CONFIG"] = json.dumps(tf_config)
    command = [sys.executable, harness.__file__, json.dumps({**OPTIONS, **options})]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _finish(process: subprocess.Popen[str]) -> str:
    """Returns what a process printed last."""
    try:
        output, errors = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return output.strip().splitlines()[-1] if output.strip() else ""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    ports = [free.getsockname()[1] for free in sockets]
    for free in sockets:
        free.close()
    return ports


def _model(output: pathlib.Path) -> Any:
    return harness.artifact(harness.standard_artifacts.Model, str(output / "model"))


@pytest.mark.slow
def test_two_replicas_train_what_one_device_trains_with_the_same_global_batch(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    mirrored = _start(
        data=two_classes,
        output=str(tmp_path / "mirrored"),
        strategy="mirrored",
        cpus=2,
        batch_size=8,
    )
    properties = json.loads(_finish(mirrored))

    one = harness.execute(
        two_classes,
        str(tmp_path / "one"),
        strategy="one_device",
        **{**OPTIONS, "batch_size": 16, "learning_rate": 0.01 * math.sqrt(2)},
    )

    assert properties == {
        "devices": "2 CPU",
        "epochs_run": 2,
        "global_batch_size": 16,
        "learning_rate": pytest.approx(0.01 * math.sqrt(2)),
        "replicas": 2,
        "strategy": "mirrored",
    }
    expected = harness.weights(one)
    for name, values in harness.weights(_model(tmp_path / "mirrored")).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5)


@pytest.mark.slow
def test_the_chief_of_two_workers_alone_writes_the_model(
    two_classes: str, tmp_path: pathlib.Path
) -> None:
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    # Batches of one, because one worker then has a step more than the other.
    processes = [
        _start(
            {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}},
            data=two_classes,
            output=str(tmp_path / f"worker{index}"),
            strategy="auto",
            batch_size=1,
        )
        for index in (0, 1)
    ]
    chief, other = [_finish(process) for process in processes]

    assert json.loads(chief) == {
        "devices": "2 CPU",
        "epochs_run": 2,
        "global_batch_size": 2,
        "learning_rate": pytest.approx(0.01 * math.sqrt(2)),
        "replicas": 2,
        "strategy": "multi_worker_mirrored",
    }
    assert "embedding" in harness.weights(_model(tmp_path / "worker0"))
    assert other == ""
    assert not (tmp_path / "worker1").exists()
