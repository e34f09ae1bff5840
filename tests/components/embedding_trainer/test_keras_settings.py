import os
import pathlib
import subprocess
import sys

import keras
import pytest

from components.embedding_trainer.keras_settings import float32


def test_float32_is_the_default_only_as_long_as_it_is_needed() -> None:
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float16")
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with float32():
            layer = keras.layers.Dense(1)
            layer.build((None, 1))
            assert (layer.kernel.dtype, layer.compute_dtype) == ("float32", "float32")
            assert keras.config.floatx() == "float32"
        assert keras.config.floatx() == "float16"
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")

    with pytest.raises(RuntimeError, match="backend 'jax'; expected 'tensorflow'"), float32():
        pass


@pytest.mark.long
def test_a_persons_keras_settings_are_no_obstacle(two_classes: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "keras.json").write_text('{"backend": "jax", "floatx": "float16"}')
    script = (
        "import sys, components; from tests.components.embedding_trainer import harness; "
        "harness.execute(sys.argv[1], sys.argv[2], strategy='one_device', epochs=2)"
    )
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch"}

    result = subprocess.run(
        [sys.executable, "-c", script, two_classes, str(tmp_path / "output")],
        env=environment,
        cwd=pathlib.Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "output" / "model" / "Format-Serving").is_dir()
