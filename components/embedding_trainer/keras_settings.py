"""Makes the trainer independent of the user's Keras settings."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def float32() -> Iterator[None]:
    """Makes float32 Keras' default for as long as the context lasts; also a decorator.

    With float16 as the user's default the training fails after a few steps, because weights and
    the learning rate are rounded (https://github.com/keras-team/keras/issues/18955).

    Raises:
        RuntimeError: Keras was loaded with another backend than TensorFlow.
    """
    if keras.config.backend() != "tensorflow":
        raise RuntimeError(
            f"Keras was loaded with the backend {keras.config.backend()!r}; expected 'tensorflow'. "
            "Import components before keras, or set the environment variable KERAS_BACKEND to "
            "tensorflow."
        )
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
