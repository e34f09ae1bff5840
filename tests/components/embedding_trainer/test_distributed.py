import json
import math
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from . import harness

OPTIONS: dict[str, Any] = {"learning_rate": 0.01, "epochs": 2, "early_stopping_patience": 0}


def _start(**options: Any) -> subprocess.Popen[str]:
    root = str(pathlib.Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, harness.__file__, json.dumps({**OPTIONS, **options})]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _finish(process: subprocess.Popen[str]) -> str:
    """Waits for a process and returns the last line of its standard output."""
    try:
        output, errors = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return output.strip().splitlines()[-1] if output.strip() else ""


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
