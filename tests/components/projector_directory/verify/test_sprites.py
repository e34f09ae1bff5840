import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.projector_directory.verify import verify
from tests.components.projector_directory.verify.damage import NAME, configured


def _violations(export: pathlib.Path, content: bytes, size: str) -> list[str]:
    (export / "sprite.png").write_bytes(content)
    sprite = f'sprite {{ image_path: "sprite.png" single_image_dim: {size} }}'
    configured(f'embeddings {{ {NAME} metadata_path: "metadata.tsv" {sprite} }}')(export)
    return [str(violation) for violation in verify(str(export))]


def _png(width: int, height: int) -> bytes:
    return bytes(tf.io.encode_png(np.zeros((height, width, 1), np.uint8)).numpy())


@pytest.mark.parametrize(("width", "height"), [(20, 20), (41, 10), (8192, 10)])
def test_an_image_with_a_thumbnail_for_each_point(
    export: pathlib.Path, width: int, height: int
) -> None:
    assert _violations(export, _png(width, height), "[10, 10]") == []


@pytest.mark.parametrize(
    ("content", "size", "problem"),
    [
        (b"no image", "[10, 10]", "sprite.png: is no image"),
        (_png(8193, 10), "[10, 10]", "sprite.png: is 8193 x 10 pixels; TensorBoard takes 8192"),
        (_png(39, 10), "[10, 10]", "sprite.png: holds 3 thumbnails for 4 points"),
        (_png(10, 39), "[10, 10]", "sprite.png: holds 3 thumbnails for 4 points"),
        (_png(20, 20), "[10]", "projector_config.pbtxt: single_image_dim is [10]"),
        (_png(20, 20), "[0, 10]", "projector_config.pbtxt: single_image_dim is [0, 10]"),
    ],
)
def test_sprites_that_cannot_be_drawn(
    export: pathlib.Path, content: bytes, size: str, problem: str
) -> None:
    (violation,) = _violations(export, content, size)
    assert violation.startswith(problem)
