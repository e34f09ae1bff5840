"""Tests what the driver adds to the cache key."""

from typing import Any

from tfx.orchestration import metadata

from components import TfdsExampleGen
from components.tfds_example_gen import driver
from tests.components.tfds_example_gen.conftest import Prepare
from tests.components.tfds_example_gen.test_executor import properties_of


def test_name_is_pinned_and_the_fingerprint_follows_the_examples(prepare: Prepare) -> None:
    data_dir = prepare("tiny_plain")
    given = properties_of(TfdsExampleGen("tiny_plain", data_dir=str(data_dir)))

    def resolved() -> dict[str, Any]:
        handler = metadata.Metadata(None)
        return driver.Driver(handler).resolve_exec_properties(given, None, None)

    first = resolved()
    assert first == {
        **given,
        "dataset": "tiny_plain:1.0.0",
        "input_fingerprint": first["input_fingerprint"],
        "span": 0,
        "version": None,
    }
    assert resolved() == first
    prepare("tiny_plain", examples=13)
    assert resolved()["input_fingerprint"] != first["input_fingerprint"]
