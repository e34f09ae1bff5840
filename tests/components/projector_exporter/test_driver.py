"""Runs ProjectorExporter several times, alone in a pipeline with the cache on."""

import pathlib
import shutil
from collections.abc import Callable

import pytest
import tensorflow_transform as tft
from tfx import v1 as tfx

from components import ProjectorExporter
from components.projector_directory.verify import verify
from components.projector_exporter.options import ExportOptions
from tests.components.projector_exporter import models
from tests.pipelines import run_components

Export = Callable[..., str]


@pytest.fixture
def published(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "published"


@pytest.fixture
def export(tmp_path: pathlib.Path, published: pathlib.Path, graph: tft.TFTransformOutput) -> Export:
    """Returns a function that runs the pipeline on a model and returns the exporter's state."""
    artifacts = tfx.types.standard_artifacts

    def imported(name: str, path: pathlib.Path, kind: type[tfx.dsl.Artifact]) -> tfx.dsl.Importer:
        versions = {"tfx_version": "1.16.0"}
        importer = tfx.dsl.Importer(str(path), artifact_type=kind, custom_properties=versions)
        return importer.with_id(name)

    def run(name: str) -> str:
        if not (tmp_path / name).exists():
            models.make_model(tmp_path / name / "Format-Serving", 7, graph)
        model = imported("Trainer", tmp_path / name, artifacts.Model)
        of_transform = pathlib.Path(graph.transform_savedmodel_dir).parent
        transform_graph = imported("Transform", of_transform, artifacts.TransformGraph)
        exporter = ProjectorExporter(
            model=model.outputs["result"],
            transform_graph=transform_graph.outputs["result"],
            options=ExportOptions(layouts=()),
            publish_dir=f"{published}/",
        )
        return run_components([model, transform_graph, exporter], tmp_path)

    return run


def whole(published: pathlib.Path) -> list[pathlib.Path]:
    """Returns the published copies that TensorBoard lists and shows correctly."""
    listed = {event.parent for event in published.glob("*/*tfevents*")}
    return [copy for copy in listed if verify(str(copy)) == []]


@pytest.mark.parametrize(
    "lose",
    [
        shutil.rmtree,
        lambda published: shutil.rmtree(min(published.iterdir())),
        lambda published: next(published.rglob("*.index")).write_bytes(b""),
        lambda published: next(published.rglob("*tfevents*")).unlink(),
    ],
    ids=["all copies", "the copy", "a file", "what makes TensorBoard list it"],
)
def test_a_lost_copy_is_published_again(
    lose: Callable[[pathlib.Path], object], export: Export, published: pathlib.Path
) -> None:
    assert [export("a"), export("a")] == ["COMPLETE", "CACHED"]
    lose(published)
    assert whole(published) == []
    assert export("a") == "COMPLETE"
    assert len(whole(published)) == 1
    assert export("a") == "CACHED"


def test_a_lost_copy_of_another_model_is_not_missed(
    export: Export, published: pathlib.Path
) -> None:
    assert export("a") == "COMPLETE"
    (copy,) = published.iterdir()
    assert export("b") == "COMPLETE"
    shutil.rmtree(copy)
    assert export("b") == "CACHED"
    assert export("a") == "COMPLETE"
    assert len(list(published.iterdir())) == 2
