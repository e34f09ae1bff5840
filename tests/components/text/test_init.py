import subprocess
import sys

import pytest

import components.text

# One process for all checks, because importing TensorFlow takes seconds.
_SCRIPT = """
import sys

from components.text import LABEL, TEXT
from components.embedding_trainer.options import TrainingOptions
from components.projector_exporter.options import ExportOptions
from components.text.options import VocabularyOptions

heavy = {"tensorflow", "tensorflow_transform", "apache_beam", "tfx", "tensorflow_text"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()

# Importing it raises ImportError. That it is absent from sys.modules in the end would not do:
# tf.Transform itself tries to import it whenever it loads a graph.
sys.modules["tensorflow_text"] = None

import tempfile
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from components.text import preprocessing_fn

spec = {TEXT: tf.io.FixedLenFeature([], tf.string), LABEL: tf.io.FixedLenFeature([], tf.int64)}
metadata = tft.DatasetMetadata.from_feature_spec(spec)
with tempfile.TemporaryDirectory() as directory:
    with tft_beam.Context(temp_dir=directory):
        _, transform_fn = ([{TEXT: "a b a", LABEL: 0}], metadata) | (
            tft_beam.AnalyzeAndTransformDataset(lambda inputs: preprocessing_fn(inputs, {}))
        )
        transform_fn | tft_beam.WriteTransformFn(directory + "/output")
    layer = tft.TFTransformOutput(directory + "/output").transform_features_layer()
    print(layer({TEXT: tf.constant(["b c"])})["token_ids"].values.numpy().tolist())
"""


@pytest.mark.slow
def test_names_need_no_tensorflow_and_words_no_tensorflow_text() -> None:
    command = [sys.executable, "-c", _SCRIPT]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "[2, 3]"


def test_the_package_offers_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'preprocess'"):
        components.text.preprocess  # noqa: B018
