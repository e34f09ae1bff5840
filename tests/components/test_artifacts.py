import json

from tfx import v1 as tfx

from components.artifacts import EmbeddingProjection, class_names, projection_directory


def test_properties_are_typed() -> None:
    projection = EmbeddingProjection()
    projection.run_name = "imdb-20261122-134002"
    projection.rows = 10_000
    projection.dimensions = 16
    projection.source_variable = "variables/0/.ATTRIBUTES/VARIABLE_VALUE"
    projection.vocabulary = "vocabulary"
    projection.dataset_fingerprint = "0123abcd"

    stored = projection.mlmd_artifact.properties
    assert projection.type_name == "EmbeddingProjection"
    assert (stored["rows"].int_value, stored["dimensions"].int_value) == (10_000, 16)
    assert stored["dataset_fingerprint"].string_value == "0123abcd"
    assert set(stored) == set(EmbeddingProjection.PROPERTIES)


def test_the_files_are_in_the_directory_of_the_run() -> None:
    projection = EmbeddingProjection()
    projection.uri = "/output/projection/9"
    projection.run_name = "imdb-20261122-134002"
    directory = projection_directory(projection.mlmd_artifact)
    assert directory == "/output/projection/9/imdb-20261122-134002"


def test_the_longest_class_names_are_taken() -> None:
    noted = [None, ["bad", "good"], ["bad", "good", "mixed"], ["0"]]
    artifacts = [tfx.types.standard_artifacts.Examples() for _ in noted]
    for artifact, names in zip(artifacts, noted, strict=True):
        if names:
            artifact.set_string_custom_property("class_names", json.dumps(names))
    assert class_names(artifacts) == ["bad", "good", "mixed"]
    assert class_names(artifacts[:1]) == []
