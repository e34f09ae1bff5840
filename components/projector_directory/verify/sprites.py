"""Rules for a sprite: the image of the thumbnails that TensorBoard draws as points."""

import io
from collections.abc import Iterator

import tensorflow as tf
from PIL import Image
from tensorboard.plugins.projector import EmbeddingInfo

from components.projector_directory.verify.config import CONFIG
from components.projector_directory.verify.violation import Violation

# TensorBoard's page refuses larger ones.
MAX_PIXELS = 8192


def check_sprite(path: str, sprite: EmbeddingInfo, points: int) -> Iterator[Violation]:
    """Checks a sprite.

    Args:
        path: Where it is.
        sprite: The entry that configures it.
        points: The rows of the tensor, each of which takes a thumbnail.

    Yields:
        What keeps TensorBoard from drawing the thumbnails.
    """
    name = sprite.sprite.image_path
    size = list(sprite.sprite.single_image_dim)
    if len(size) != 2 or 0 in size:
        yield Violation(
            CONFIG, None, f"single_image_dim is {size}; expected width and height of a thumbnail"
        )
        return
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            width, height = Image.open(io.BytesIO(file.read())).size
    except OSError as error:
        yield Violation(name, None, f"is no image, and nothing of the tensor is shown: {error}")
        return
    if max(width, height) > MAX_PIXELS:
        yield Violation(
            name, None, f"is {width} x {height} pixels; TensorBoard takes {MAX_PIXELS} of each"
        )
    thumbnails = (width // size[0]) * (height // size[1])
    if thumbnails < points:
        yield Violation(name, None, f"holds {thumbnails} thumbnails for {points} points")
