from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir
from tfx import v1 as tfx
from tfx.dsl.component.experimental.annotations import OutputDict, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base import base_driver
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from pipeline_def.kubeflow.rewrite import rewrite
from tests.pipeline_def.kubeflow.conftest import tasks
from tests.pipeline_def.kubeflow.lint import faults


def test_no_step_has_a_condition(everything: str) -> None:
    """kfp.local ran a task's output in a condition as Python until 2.18.1 (GHSA-rhjm-6347-5x33)."""
    assert not any("triggerPolicy" in task for task in tasks(everything).values())


def test_the_cache_sees_the_dataset(plain: str) -> None:
    compiled = tasks(plain)
    parameters = compiled["TfdsExampleGen"]["inputs"]["parameters"]
    for name in ("dataset", "input_fingerprint"):
        output = parameters[name]["taskOutputParameter"]
        assert output == {"producerTask": "Dataset", "outputParameterKey": name}
    assert compiled["TfdsExampleGen"]["cachingOptions"] == {"enableCache": True}
    assert "cachingOptions" not in compiled["Dataset"]


def test_a_push_is_never_cached(everything: str) -> None:
    compiled = tasks(everything)
    assert compiled["EmbeddingTrainer"]["cachingOptions"] == {"enableCache": True}
    assert "cachingOptions" not in compiled["Pusher"]
    assert "cachingOptions" not in compiled["ProjectorExporter"]  # It publishes in every run.


def test_the_projection_has_a_page(plain: str) -> None:
    spec = next(yaml.safe_load_all(plain))
    outputs = spec["components"]["comp-ProjectorExporter"]["outputDefinitions"]["artifacts"]
    assert outputs["visualization"]["artifactType"]["schemaTitle"] == "system.HTML"
    assert "EmbeddingProjection" in outputs["projection"]["artifactType"]["instanceSchema"]


def compiled_by_tfx(pipeline: tfx.dsl.Pipeline, **config: Any) -> dict[str, Any]:
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="image:1", **config)
    )
    return runner.run(pipeline, write_out=False)["pipelineSpec"]


@component
def Choose(least: Parameter[int]) -> OutputDict(epochs=int):  # type: ignore[valid-type]  # noqa: N802
    return {"epochs": 2 * least}


@component
def Use(epochs: Parameter[int]) -> OutputDict(used=int):  # type: ignore[valid-type]  # noqa: N802
    return {"used": epochs}


def test_somebody_elses_components() -> None:
    """Compiles names that Argo refuses, a parameter from another task's output, and a driver."""
    choose = Choose(least=4).with_id("my.Choose")
    use = Use(epochs=choose.outputs["epochs"].future()[0].value).with_id("_my.Use")
    use.driver_class = type("Driver", (base_driver.BaseDriver,), {})
    pipeline = tfx.dsl.Pipeline("others", "", components=[choose, use], enable_cache=True)
    compiled = compiled_by_tfx(pipeline, use_pipeline_spec_2_1=True)
    assert faults(yaml.safe_dump(compiled)) != []
    spec = json_format.ParseDict(compiled, ir.PipelineSpec())
    deployment = json_format.ParseDict(compiled["deploymentSpec"], ir.PipelineDeploymentConfig())
    rewrite(spec, deployment, pipeline)
    rewritten = {
        **json_format.MessageToDict(spec),
        "deploymentSpec": json_format.MessageToDict(deployment),
    }
    assert faults(yaml.safe_dump(rewritten)) == []
    cached = [
        name for name, task in spec.root.dag.tasks.items() if task.caching_options.enable_cache
    ]
    assert cached == ["my-Choose"]
    assert set(spec.root.dag.tasks) == {"my-Choose", "my-Use"}
    assert all(task.task_info.name == name for name, task in spec.root.dag.tasks.items())


def test_the_server_refuses_what_stock_tfx_compiles() -> None:
    """It also ignores the ExampleGen's driver, a lifecycle hook, so its cache misses new data."""
    examples = tfx.components.CsvExampleGen(input_base="data")
    baseline = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("baseline")
    pipeline = tfx.dsl.Pipeline("stock", "", components=[examples, baseline])
    found = faults(yaml.safe_dump(compiled_by_tfx(pipeline)))
    assert "schema version 2.0.0" in found
    assert "CsvExampleGen: its lifecycle is ignored" in found
    assert "baseline-model-resolver: resolver is not implemented" in found
