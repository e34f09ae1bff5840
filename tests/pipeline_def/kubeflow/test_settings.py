"""Tests settings that are refused; KFP's server accepts most of them, Kubernetes does not."""

import pydantic
import pytest
import yaml

from pipeline_def.kubeflow.settings import Kubeflow


def settings(text: str) -> Kubeflow:
    return Kubeflow.model_validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("text", "place", "fault"),
    [
        ("image: ''", "image", "expected an image with a fixed tag or a digest, such as"),
        ("image: 'localhost:5000/x'", "image", "expected an image with a fixed tag or a digest"),
        ("image: x:latest", "image", "found 'x:latest'. Kubeflow's cache tells code"),
        ("image: registry/Project:1", "image", "expected an image with"),
        ("image: a b:1", "image", "expected an image with"),
        ("data_dir: output/tfds", "data_dir", "expected a path in the steps' containers"),
        ("data_dir: s3://x", "data_dir", "or a gs:// URI, found 's3://x'."),
        ("push_destination: serving", "push_destination", "expected a path in the steps'"),
        ("publish_dir: minio://x", "publish_dir", "or a gs:// URI, found"),
        ("baseline_model: /m", "baseline_model", "expected a gs://, s3:// or minio:// URI, found"),
        ("pipeline_root: http://bucket", "pipeline_root", "expected a gs://, s3:// or minio://"),
        ("defaults: {memory: 16ki}", "defaults.memory", "expected a size such as 16Gi or 500M"),
        ("defaults: {memory: 1GB}", "defaults.memory", "expected a size such as"),
        ("defaults: {memory: 1 G}", "defaults.memory", "expected a size such as"),
        ("defaults: {memory: 0Gi}", "defaults.memory", "expected a size such as"),
        ("defaults: {memory: 1٣Gi}", "defaults.memory", "expected a size such as"),
        ("defaults: {memory: -1Gi}", "defaults.memory", "expected a size such as"),
        ("defaults: {shared_memory: 1K}", "defaults.shared_memory", "expected a size such as"),
        ("defaults: {cpu: 0}", "defaults.cpu", "greater than 0"),
        ("defaults: {cpu: .inf}", "defaults.cpu", "finite number"),
        ("defaults: {retries: -1}", "defaults.retries", "greater than or equal to 0"),
        ("defaults: {accelerators: 0}", "defaults.accelerators", "greater than 0"),
        ("defaults: {accelerators: 2}", "", "accelerators of defaults: expected an accelerator"),
        ("steps: {Pusher: {accelerators: 2}}", "", "accelerators of Pusher: expected an accel"),
        ("defaults: {accelerator: nvidia gpu}", "defaults.accelerator", "match pattern"),
        ("defaults: {node_selector: {pool: true}}", "defaults.node_selector.pool", "valid string"),
        ("defaults: {node_selector: {pool: a b}}", "defaults.node_selector.pool", "match pattern"),
        ("defaults: {node_selector: {a b: c}}", "defaults.node_selector.a b.[key]", "pattern"),
        (
            "defaults: {tolerations: [{key: a, operator: Exists, value: b}]}",
            "defaults.tolerations.0",
            "expected no value with the operator Exists, found 'b'",
        ),
        (
            "defaults: {tolerations: [{effect: NoSchedule}]}",
            "defaults.tolerations.0",
            "expected a key, or the operator Exists",
        ),
        ("defaults: {tolerations: [{key: a, effect: No}]}", "defaults.tolerations.0.effect", "'"),
        ("volumes: [{claim: a, mount_path: data}]", "volumes.0.mount_path", "match pattern"),
        ("volumes: [{claim: a, mount_path: '/a:b'}]", "volumes.0.mount_path", "match pattern"),
        ("volumes: [{claim: A_b, mount_path: /data}]", "volumes.0.claim", "match pattern"),
        (
            "volumes: [{claim: a, mount_path: /b}, {claim: a, mount_path: /c}]",
            "volumes",
            "expected a different claim for each volume, found ['a', 'a'].",
        ),
        (
            "volumes: [{claim: a, mount_path: /b}, {claim: c, mount_path: /b}]",
            "volumes",
            "expected a different mount_path for each volume",
        ),
        ("secrets: [{name: a, environment: {k: A-B}}]", "secrets.0.environment.k", "pattern"),
        ("secrets: [{name: a, environment: {k/a: A}}]", "secrets.0.environment.k/a.[key]", "pat"),
    ],
)
def test_what_does_not_run_is_refused(text: str, place: str, fault: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        settings(text)
    (found,) = caught.value.errors()
    assert ".".join(map(str, found["loc"])) == place
    assert fault in found["msg"]


@pytest.mark.parametrize(
    "image",
    [
        "reg.example.com:5000/a/x:1.2",
        "x:1",
        f"reg.example.com/x@sha256:{'0' * 64}",
        f"x:latest@sha256:{'0' * 64}",
    ],
)
def test_an_image_of_one_version(image: str) -> None:
    assert settings(f"image: {image}").image == image


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"defaults: {{memory: '{size}'}}"
            for size in ("1", "500M", "16Gi", "1.5G", "0.5Gi", "64Ki", "3k", "2T")
        ),
        "steps: {Transform: {cpu: 0.5, accelerator: nvidia.com/gpu}}",
        "{defaults: {accelerator: nvidia.com/gpu}, steps: {EmbeddingTrainer: {accelerators: 2}}}",
        "{data_dir: /data, push_destination: 'gs://bucket/serving'}",
        *(f"pipeline_root: {scheme}://bucket" for scheme in ("gs", "s3", "minio")),
        "secrets: [{name: a, environment: {KEY: b, tls.crt: c}}]",
        "defaults: {tolerations: [{key: c}, {key: c, value: d}, {operator: Exists}]}",
        "volumes: [{claim: a, mount_path: /data}, {claim: b, mount_path: /data/b}]",
    ],
)
def test_what_runs_is_accepted(text: str) -> None:
    settings(text)


def test_the_settings_of_a_step_go_over_the_defaults() -> None:
    text = "{defaults: {cpu: 1, retries: 2}, steps: {Pusher: {retries: 0, memory: 1Gi}}}"
    pusher, trainer = (settings(text).of_step(name) for name in ("Pusher", "EmbeddingTrainer"))
    assert (pusher.cpu, pusher.retries, pusher.memory) == (1, 0, "1Gi")
    assert (trainer.cpu, trainer.retries, trainer.memory) == (1, 2, None)
