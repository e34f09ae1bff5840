import pytest
import tensorflow as tf

from components.embedding_trainer.strategy import (
    create_strategy,
    describe_devices,
    is_chief,
    local_replicas,
    scale_learning_rate,
)


@pytest.mark.skipif(
    len(tf.config.list_physical_devices("GPU")) > 1, reason="would choose 'mirrored'"
)
def test_auto_takes_one_device_without_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_NAME", raising=False)

    name, strategy = create_strategy("auto")

    assert name == "one_device"
    assert strategy.num_replicas_in_sync == 1
    assert is_chief(strategy)


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
