import json

import pytest
import tensorflow as tf

from components.embedding_trainer.strategy import (
    create_strategy,
    describe_devices,
    is_chief,
    local_replicas,
    scale_learning_rate,
)


def _tf_config(workers: int) -> str:
    cluster = {"worker": [f"localhost:{9000 + index}" for index in range(workers)]}
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})


@pytest.mark.skipif(
    len(tf.config.list_physical_devices("GPU")) > 1, reason="would choose 'mirrored'"
)
@pytest.mark.parametrize("tf_config", [None, "", _tf_config(1)])
def test_auto_takes_one_device_without_more(
    tf_config: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("TPU_NAME", raising=False)
    if tf_config is not None:
        monkeypatch.setenv("TF_CONFIG", tf_config)

    name, strategy = create_strategy("auto")

    assert name == "one_device"
    assert strategy.num_replicas_in_sync == 1
    assert is_chief(strategy)


def test_several_workers_need_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)

    with pytest.raises(ValueError, match="TF_CONFIG names no workers"):
        create_strategy("multi_worker_mirrored")


def test_a_process_that_used_tensorflow_cannot_join(monkeypatch: pytest.MonkeyPatch) -> None:
    tf.constant(1)
    monkeypatch.setenv("TF_CONFIG", _tf_config(2))

    with pytest.raises(RuntimeError, match="in a process of its own"):
        create_strategy("auto")


@pytest.mark.parametrize("tf_config", ["{", "[]", '{"cluster": {"worker": 2}}'])
def test_a_broken_cluster_is_refused(tf_config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_NAME", raising=False)
    monkeypatch.setenv("TF_CONFIG", tf_config)

    with pytest.raises(ValueError, match=r"TF_CONFIG is .* expected JSON like"):
        create_strategy("auto")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="has a GPU to mirror")
def test_mirrored_without_a_gpu_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"'mirrored', but TensorFlow finds no GPU .*tensorflow\[a"
    ):
        create_strategy("mirrored")


def test_the_devices_are_described_by_number_and_kind() -> None:
    assert describe_devices(tf.distribute.OneDeviceStrategy("/cpu:0")) == "1 CPU"


def test_one_process_has_all_replicas_and_is_the_chief() -> None:
    strategy = tf.distribute.MirroredStrategy(["cpu:0"])

    assert local_replicas(strategy) == range(1)
    assert is_chief(strategy)


def test_the_learning_rate_grows_with_the_square_root_of_the_replicas() -> None:
    assert scale_learning_rate(0.01, 1) == 0.01
    assert scale_learning_rate(0.01, 4) == pytest.approx(0.02)
