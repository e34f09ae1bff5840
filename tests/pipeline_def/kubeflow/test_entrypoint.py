import json
import pathlib
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir

from pipeline_def.kubeflow import entrypoint
from tests.pipeline_def.kubeflow.cluster import LOGS

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
INPUTS_SPEC = json_format.ParseDict(
    {"artifacts": {"model": {"artifactType": MODEL}}}, ir.ComponentInputsSpec()
)


@pytest.fixture
def launcher(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Moves the launcher's directories, such as /minio/, below a directory that it returns."""
    for scheme, directory in list(entrypoint._LOCAL_DIRECTORIES.items()):
        monkeypatch.setitem(entrypoint._LOCAL_DIRECTORIES, scheme, f"{tmp_path}{directory}")
    return tmp_path


def executor_input(root: str, input_type: Any) -> ir.ExecutorInput:
    """Returns an ExecutorInput as provisionOutputs and ToRuntimeArtifact of KFP's v2 make it."""
    artifact = {"name": "17", "uri": f"{root}/trainer/model", "metadata": {"epochs": 3}}
    output = {"name": "evaluation", "uri": f"{root}/evaluator/evaluation"}
    logs = {"uri": f"{root}/evaluator/logs", "type": {"schemaTitle": "system.Artifact"}}
    document = {
        "inputs": {"artifacts": {"model": {"artifacts": [artifact | input_type]}}},
        "outputs": {
            "artifacts": {
                "evaluation": {"artifacts": [{**output, "type": MODEL}]},
                **{name: {"artifacts": [logs | {"name": name}]} for name in LOGS},
            },
            "outputFile": "/minio/bucket/evaluator/output_metadata.json",
        },
    }
    return json_format.Parse(json.dumps(document), ir.ExecutorInput())


@pytest.mark.parametrize(
    "input_type",
    [{}, {"type": {"instanceSchema": ""}}, {"type": {"schemaTitle": "system.Artifact"}}],
    ids=["none", "empty", "kfp.local"],
)
@pytest.mark.parametrize("scheme", ["gs", "s3", "minio"])
def test_tfx_gets_types_and_paths(
    launcher: pathlib.Path, scheme: str, input_type: dict[str, Any]
) -> None:
    given = executor_input(f"{scheme}://bucket/root", input_type)
    directory = launcher / {"gs": "gcs"}.get(scheme, scheme) / "bucket" / "root"
    step = entrypoint.for_tfx(given, INPUTS_SPEC)
    (model,) = step.inputs.artifacts["model"].artifacts
    assert model.type.instance_schema == MODEL["instanceSchema"]
    assert model.uri == str(directory / "trainer" / "model")
    assert model.metadata["epochs"] == 3
    assert list(step.outputs.artifacts) == ["evaluation"]
    assert (directory / "evaluator").is_dir()
    assert step.outputs.output_file != given.outputs.output_file


def test_a_local_path_stays(tmp_path: pathlib.Path) -> None:
    step = entrypoint.for_tfx(executor_input(str(tmp_path), {}), INPUTS_SPEC)
    assert step.inputs.artifacts["model"].artifacts[0].uri == f"{tmp_path}/trainer/model"


def test_the_launcher_gets_uris_and_no_null() -> None:
    given = executor_input("s3://bucket/root", {})
    artifact = {
        "uri": "/s3/bucket/root/evaluator/evaluation",
        "metadata": {
            "accuracy": 0.5,
            "none": None,
            "nested": {"a": 1},
            "current_model": "/s3/bucket/root/trainer/model",
        },
    }
    output = json_format.ParseDict(
        {"artifacts": {"evaluation": {"artifacts": [artifact]}}}, ir.ExecutorOutput()
    )
    entrypoint.for_launcher(output, given)
    (made,) = output.artifacts["evaluation"].artifacts
    assert made.uri == "s3://bucket/root/evaluator/evaluation"
    assert json_format.MessageToDict(made.metadata) == {
        "accuracy": 0.5,
        "nested": {"a": 1},
        "current_model": "s3://bucket/root/trainer/model",
    }


def test_a_failed_step_leaves_no_output(tmp_path: pathlib.Path) -> None:
    given = executor_input(str(tmp_path), {})
    given.outputs.output_file = str(tmp_path / "output.json")
    with pytest.raises(ValueError, match="EXAMPLES_KEY"):  # The Evaluator gets no examples.
        entrypoint.main(
            [
                "--executor_class_path=tfx.components.evaluator.executor.Executor",
                f"--json_serialized_invocation_args={json_format.MessageToJson(given)}",
                f"--json_serialized_inputs_spec_args={json_format.MessageToJson(INPUTS_SPEC)}",
            ]
        )
    assert not (tmp_path / "output.json").exists()


def dataset_step(tmp_path: pathlib.Path, split: str) -> dict[str, Any]:
    splits = json.dumps({"splits": [{"name": "train", "pattern": split}]})
    document = {
        "inputs": {
            "parameterValues": {
                "dataset": "sample_reviews",
                "builder_module": "pipeline_def.sample_reviews",
                "data_dir": str(tmp_path / "tfds"),
                "input_config": splits,
                "allow_overlap": 0,
            }
        },
        "outputs": {
            "parameters": {
                "dataset": {"outputFile": "/tmp/kfp/outputs/dataset"},
                "input_fingerprint": {"outputFile": "/tmp/kfp/outputs/input_fingerprint"},
            },
            "outputFile": str(tmp_path / "step" / "output_metadata.json"),
        },
        "ofANewerDriver": {},
    }
    entrypoint.main(
        [
            "--driver_class_path=components.tfds_example_gen.driver.Driver",
            f"--json_serialized_invocation_args={json.dumps(document)}",
            "--json_serialized_inputs_spec_args={}",
        ]
    )
    return json.loads((tmp_path / "step" / "output_metadata.json").read_text())["parameterValues"]


def test_the_dataset_step_pins_and_fingerprints(tmp_path: pathlib.Path) -> None:
    first = dataset_step(tmp_path, "train[:50]")
    assert first["dataset"] == "sample_reviews:1.0.0"
    assert dataset_step(tmp_path, "train[:50]") == first
    assert dataset_step(tmp_path, "train[:51]") != first
