from typing import Any

import pytest
from tfx import v1 as tfx

from components import ExportOptions, ProjectorExporter, execution_properties
from components.code_digest import source_digest
from components.projector_exporter import executor

CHANNELS: dict[str, Any] = {
    "model": tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
    "transform_graph": tfx.dsl.Channel(type=tfx.types.standard_artifacts.TransformGraph),
}
OPTIONS = ExportOptions(
    layouts=("pca",),
    layout_rows=7,
    max_rows=9,
    probe_words=("a", "b"),
    formats=("arrow",),
    similarity_pairs=(("a", "b", 1.5),),
)


def test_options_are_execution_properties() -> None:
    properties = ProjectorExporter(**CHANNELS, options=OPTIONS).exec_properties
    assert execution_properties.from_properties(ExportOptions, properties) == OPTIONS
    properties = ProjectorExporter(**CHANNELS).exec_properties
    assert execution_properties.from_properties(ExportOptions, properties) == ExportOptions()


def test_parameters_are_execution_properties() -> None:
    parameters: dict[str, Any] = {
        "embedding": "table",
        "first_token_id": 2,
        "vocabulary": "words",
        "run_prefix": "imdb",
        "publish_dir": "/srv/tensorboard",
    }
    properties = ProjectorExporter(**CHANNELS, **parameters).exec_properties
    assert {name: properties[name] for name in parameters} == parameters


def test_inputs_and_outputs() -> None:
    optional = {
        "examples": tfx.dsl.Channel(type=tfx.types.standard_artifacts.Examples),
        "baseline_model": tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
    }
    exporter = ProjectorExporter(**CHANNELS, **optional)
    assert set(exporter.inputs) == {*CHANNELS, *optional}
    assert set(exporter.outputs) == {"projection"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"first_token_id": -1}, "first_token_id is -1"),
        ({"embedding": ""}, "cannot be empty"),
        ({"vocabulary": ""}, "cannot be empty"),
        ({"run_prefix": "My pipeline"}, "run_prefix is 'My pipeline'"),
    ],
)
def test_parameters_are_refused_at_construction(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProjectorExporter(**CHANNELS, **parameters)


def test_an_edit_of_the_executor_is_not_served_from_the_cache() -> None:
    digest = ProjectorExporter(**CHANNELS).exec_properties["code_digest"]
    assert digest == source_digest(executor.__name__)
