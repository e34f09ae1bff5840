"""Runs TfdsExampleGen in a pipeline: what it refuses, and when it is cached."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.orchestration import metadata
from tfx.orchestration.beam import beam_dag_runner
from tfx.orchestration.portable.tfx_runner import TfxRunner

from components import TfdsExampleGen
from components.code_digest import source_digest
from components.tfds_example_gen.file_formats import Columns
from components.tfds_example_gen.files import TextFiles
from tests.components.tfds_example_gen.conftest import Prepare

FILES = TextFiles({"train": "a.csv"}, Columns("text", "label"))
RUNNERS = [tfx.orchestration.LocalDagRunner, beam_dag_runner.BeamDagRunner]

Executed = tuple[list[metadata_store_pb2.Execution], list[metadata_store_pb2.Artifact]]
Run = Callable[..., Executed]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    """Returns a function that runs a pipeline of one component and returns its executions."""
    database = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(tmp_path / "metadata.db")
    )

    def run(
        component: TfdsExampleGen, runner: type[TfxRunner] = tfx.orchestration.LocalDagRunner
    ) -> Executed:
        runner().run(
            tfx.dsl.Pipeline(
                pipeline_name="ingest",
                pipeline_root=str(tmp_path / "root"),
                components=[component],
                metadata_connection_config=database,
                enable_cache=True,
            )
        )
        with metadata.Metadata(database) as handle:
            return handle.store.get_executions(), handle.store.get_artifacts()

    return run


@pytest.mark.parametrize("splits", [{}, {"train": ""}, {"": "train"}, {"a/b": "train"}])
def test_names_of_splits_are_checked_when_the_pipeline_is_made(splits: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"(?i)split"):
        TfdsExampleGen("tiny_plain", splits)


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
def test_runs_again_when_the_data_has_changed_and_only_then(
    prepare: Prepare, run: Run, runner: type[TfxRunner]
) -> None:
    data_dir = str(prepare("tiny_plain"))
    run(TfdsExampleGen("tiny_plain", data_dir=data_dir), runner)
    run(TfdsExampleGen("tiny_plain", data_dir=data_dir), runner)
    prepare("tiny_plain", examples=13)
    executions, artifacts = run(TfdsExampleGen("tiny_plain", data_dir=data_dir), runner)
    state = metadata_store_pb2.Execution
    assert [each.last_known_state for each in executions] == [
        state.COMPLETE,
        state.CACHED,
        state.COMPLETE,
    ]
    assert [
        json.loads(each.custom_properties["examples_per_split"].string_value)["train"]
        for each in artifacts
    ] == [12, 13]


@pytest.mark.slow
def test_runs_again_when_a_row_of_a_file_has_changed_and_only_then(
    prepare: Prepare, run: Run, tmp_path: pathlib.Path
) -> None:
    del prepare
    path = tmp_path / "a.csv"
    files = TextFiles({"data": str(path)}, Columns("text", "label"))
    splits = {"train": "data[:2]", "eval": "data[2:]"}
    for text in ("fine", "fine", "poor"):
        path.write_text(f"text,label\ngood,1\nbad,0\n{text},1\n")
        component = TfdsExampleGen(splits=splits, files=files, data_dir=str(tmp_path / "tfds"))
        executions, artifacts = run(component)
    state = metadata_store_pb2.Execution
    states = [each.last_known_state for each in executions]
    assert states == [state.COMPLETE, state.CACHED, state.COMPLETE]
    names = [each.custom_properties["dataset"].string_value for each in artifacts]
    assert len(set(names)) == 2


@pytest.mark.parametrize("arguments", [{}, {"dataset": "tiny_plain", "files": FILES}])
def test_either_a_dataset_or_files_are_read(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected exactly one of them"):
        TfdsExampleGen(**arguments)


def test_the_cache_sees_the_code() -> None:
    properties = TfdsExampleGen("tiny_plain").exec_properties
    assert properties["code_digest"] == source_digest("components.tfds_example_gen.executor")


def test_refused_dataset_never_reaches_beam(prepare: Prepare, run: Run) -> None:
    data_dir = str(prepare("tiny_unlabeled"))
    with pytest.raises(ValueError, match="'unsupervised': the label 'label' is -1"):
        run(TfdsExampleGen("tiny_unlabeled", {"train": "unsupervised"}, data_dir=data_dir))
