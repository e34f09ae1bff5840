import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp import components as kfp_components

from pipeline_def.config import ConfigError
from pipeline_def.kubeflow.compiler import compile_pipeline
from tests.pipeline_def.kubeflow.conftest import EVERYTHING, IMAGE, MINIMAL, Configured, tasks
from tests.pipeline_def.kubeflow.lint import faults

PROJECT = pathlib.Path(__file__).parents[3]
VOLUME = "[{claim: a, mount_path: /dat}]"


def constant(text: str, task: str, parameter: str) -> Any:
    return tasks(text)[task]["inputs"]["parameters"][parameter]["runtimeValue"]["constant"]


def container(text: str, task: str) -> dict[str, Any]:
    spec = next(yaml.safe_load_all(text))
    label = spec["components"][f"comp-{task}"]["executorLabel"]
    return spec["deploymentSpec"]["executors"][label]["container"]


@pytest.mark.parametrize("fixture", ["plain", "everything"])
def test_the_server_takes_it(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, fixture: str
) -> None:
    text = request.getfixturevalue(fixture)
    assert faults(text) == []
    path = tmp_path / "pipeline.yaml"
    path.write_text(text)
    assert kfp_components.load_component_from_file(str(path)).name == "mine"


@pytest.mark.long
def test_it_is_the_same_byte_for_byte_in_another_process(
    everything: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "mine.yaml").write_text(MINIMAL + EVERYTHING)
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline_def.kubeflow", "compile", "--output", "-"],
        env={
            **os.environ,
            "PIPELINE_CONFIG": str(tmp_path / "mine.yaml"),
            "PYTHONHASHSEED": "1",
            "PYTHONPATH": str(PROJECT),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == everything


def test_the_configuration_of_the_readme(configured: Configured) -> None:
    readme = (PROJECT / "pipeline_def" / "kubeflow" / "README.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert faults(compile_pipeline(configured(example))) == []


def test_each_step_is_a_component(plain: str, everything: str) -> None:
    steps = {
        "Dataset",
        "TfdsExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "Transform",
        "EmbeddingTrainer",
        "Evaluator",
        "ProjectorExporter",
    }
    assert set(tasks(plain)) == steps
    assert set(tasks(everything)) == steps | {"BaselineModel", "Pusher"}


def test_the_configuration_reaches_the_steps(everything: str) -> None:
    spec, platform = yaml.safe_load_all(everything)
    assert constant(everything, "Dataset", "data_dir") == "/data/tfds"
    assert constant(everything, "ProjectorExporter", "publish_dir") == "/data/published"
    assert "gs://models/serving" in constant(everything, "Pusher", "push_destination")
    assert "--direct_num_workers=3" in container(everything, "Transform")["args"]
    importer = spec["deploymentSpec"]["executors"]["exec-BaselineModel"]["importer"]
    assert importer["artifactUri"] == {"constant": "s3://models/blessed"}
    assert tasks(everything)["Evaluator"]["inputs"]["artifacts"]["baseline_model"] == {
        "taskOutputArtifact": {"producerTask": "BaselineModel", "outputArtifactKey": "artifact"}
    }
    settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(settings) == set(spec["deploymentSpec"]["executors"]) - {"exec-BaselineModel"}
    secret = {"secretName": "hub", "keyToEnv": [{"secretKey": "token", "envVar": "HUB_TOKEN"}]}
    of_all = {
        "pvcMount": [{"constant": "datasets", "mountPath": "/data"}],
        "secretAsEnv": [secret],
    }
    assert settings["exec-Dataset"] == {**of_all, "nodeSelector": {"labels": {"pool": "small"}}}
    assert settings["exec-Evaluator"] == of_all
    assert settings["exec-EmbeddingTrainer"] == {
        **of_all,
        "nodeSelector": {"labels": {"pool": "gpu"}},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "emptyDirMounts": [
            {
                "volumeName": "shared-memory",
                "mountPath": "/dev/shm",
                "medium": "Memory",
                "sizeLimit": "1Gi",
            }
        ],
    }


def test_each_step_has_its_own_settings_over_the_defaults(everything: str) -> None:
    compiled = tasks(everything)
    default = {"cpuLimit": 0.5, "memoryLimit": 0.5}
    for task in compiled.keys() - {"EmbeddingTrainer", "BaselineModel"}:
        assert container(everything, task)["resources"] == default
        assert compiled[task]["retryPolicy"] == {"maxRetryCount": 2}
    assert container(everything, "EmbeddingTrainer")["resources"] == {
        "cpuLimit": 4,
        "memoryLimit": 16 * 2**30 / 1e9,
        "accelerator": {"type": "nvidia.com/gpu", "count": "2"},
    }
    assert "retryPolicy" not in compiled["EmbeddingTrainer"]
    cached = {name for name, task in compiled.items() if "cachingOptions" in task}
    assert compiled.keys() - cached == {"Dataset", "Evaluator", "ProjectorExporter", "Pusher"}


def test_the_platform_document_is_of_kfps_fields(everything: str) -> None:
    pytest.importorskip("kfp.kubernetes", reason="kfp-kubernetes is of the current track")
    from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes

    _, platform = yaml.safe_load_all(everything)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for settings in executors.values():
        json_format.ParseDict(settings, kubernetes.KubernetesExecutorConfig())


def test_without_settings_there_is_no_second_document(plain: str) -> None:
    assert len(list(yaml.safe_load_all(plain))) == 1


def test_a_bucket_is_seen_from_everywhere(configured: Configured) -> None:
    places = {"dataset__data_dir": "gs://datasets/tfds", "publish_dir": "gs://published"}
    compiled = compile_pipeline(configured(IMAGE, **places))
    assert constant(compiled, "Dataset", "data_dir") == "gs://datasets/tfds"
    assert constant(compiled, "ProjectorExporter", "publish_dir") == "gs://published"


def test_the_image_and_the_entrypoint(plain: str) -> None:
    for task in tasks(plain):
        step = container(plain, task)
        assert step["image"] == "registry.example.com/projector:1.0.0"
        assert step["command"] == ["python", "-m", "pipeline_def.kubeflow.entrypoint"]


@pytest.mark.parametrize(
    ("addition", "variables", "complaint"),
    [
        ("", {}, "kubeflow.image: is required to compile"),
        (
            IMAGE,
            {"dataset__data_dir": "output/tfds"},
            "kubeflow.data_dir: 'output/tfds' is on none",
        ),
        (
            IMAGE,
            {"dataset__name": "null", "dataset__files": "{train: a.csv, eval: gs://b/b.csv}"},
            "dataset.files.train: '",
        ),
        (IMAGE, {"publish_dir": "/published"}, "kubeflow.publish_dir: '/published' is on none"),
        (IMAGE, {"publish_dir": "s3://published"}, "'s3://published' is on none"),
        (IMAGE, {"dataset__schema_file": str(PROJECT / "schemas" / "imdb_reviews.pbtxt")}, "Put"),
        (IMAGE, {"dataset__schema_file": "../PROJECT/schemas/imdb_reviews.pbtxt"}, "Put"),
        (
            f"{IMAGE}\nmetadata: {{kind: mysql, host: h, port: 1, database: d, user: u}}",
            {},
            "metadata: a cluster keeps",
        ),
        (
            IMAGE,
            {
                "training__strategy": "multi_worker_mirrored",
                "training__workers": "['host2:7077']",
            },
            "training.workers: a step on a cluster cannot train with workers",
        ),
        (
            IMAGE,
            {"kubeflow__publish_dir": "/data/published", "kubeflow__volumes": VOLUME},
            "kubeflow.publish_dir: '/data/published' is on none of kubeflow.volumes",
        ),
        (
            IMAGE,
            {"kubeflow__push_destination": "/serving", "kubeflow__volumes": VOLUME},
            "kubeflow.push_destination: '/serving' is on none of kubeflow.volumes",
        ),
        (
            IMAGE,
            {"kubeflow__steps": "{EmbeddingTrainr: {cpu: 1}}"},
            "kubeflow.steps.EmbeddingTrainr: there is no such step. Did you mean EmbeddingTrainer?",
        ),
        (
            IMAGE,
            {"kubeflow__steps__embeddingtrainer__cpu": "1"},  # `configured` writes it in capitals.
            "kubeflow.steps.embeddingtrainer: there is no such step. Did you mean EmbeddingTrainer",
        ),
        (IMAGE, {"kubeflow__steps": "{BaselineModel: {cpu: 1}}"}, "no such step"),
    ],
)
def test_what_a_cluster_cannot_see_is_refused(
    configured: Configured, addition: str, variables: dict[str, str], complaint: str
) -> None:
    named = {key: value.replace("PROJECT", PROJECT.name) for key, value in variables.items()}
    with pytest.raises(ConfigError) as caught:
        compile_pipeline(configured(addition, **named))
    assert complaint in str(caught.value)


def test_all_faults_are_told_at_once(configured: Configured) -> None:
    variables = {"publish_dir": "/a", "kubeflow__push_destination": "/b", "beam__runner": "flink"}
    config = configured("", **variables, beam__pipeline_args="['--flink_master=a:1']")
    with pytest.raises(ConfigError) as caught:
        compile_pipeline(config)
    _, *faults = str(caught.value).splitlines()
    assert [fault.split(":")[0] for fault in faults] == [
        "  kubeflow.image",
        "  publish_dir, or kubeflow.publish_dir",
        "  kubeflow.push_destination",
        "  beam.runner",
    ]


def test_what_is_on_a_volume_is_seen(configured: Configured) -> None:
    config = configured(
        IMAGE,
        dataset__data_dir="/dat/tfds",
        publish_dir="/dat/published",
        kubeflow__push_destination="/dat",
        kubeflow__volumes=VOLUME,
    )
    compiled = compile_pipeline(config)
    assert constant(compiled, "Dataset", "data_dir") == "/dat/tfds"
    assert constant(compiled, "ProjectorExporter", "publish_dir") == "/dat/published"
    assert '"/dat"' in constant(compiled, "Pusher", "push_destination")
