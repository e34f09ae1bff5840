import functools

import pytest
import tensorflow_transform as tft

from tests.components.projector_exporter import models


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> tft.TFTransformOutput:
    """Returns a transform graph with the ids 0 to 5 for the words and 6 for all others."""
    preprocess = functools.partial(models.ids, num_oov_buckets=1)
    return models.make_graph(tmp_path_factory.mktemp("graph"), preprocess)


@pytest.fixture(scope="session")
def shifted_graph(tmp_path_factory: pytest.TempPathFactory) -> tft.TFTransformOutput:
    """Returns a transform graph with the ids 1 to 6 for the words and 7 to 9 for all others."""
    preprocess = functools.partial(models.ids, num_oov_buckets=3, shift=1)
    return models.make_graph(tmp_path_factory.mktemp("shifted"), preprocess)
