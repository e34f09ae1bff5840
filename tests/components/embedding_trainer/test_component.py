import dataclasses
import importlib
import pathlib
from typing import Any
from unittest import mock

import pytest
from tfx import v1 as tfx
from tfx.dsl.components.base import base_driver
from tfx.types import channel_utils

from components.embedding_trainer.component import EmbeddingTrainer
from components.embedding_trainer.driver import Driver
from components.embedding_trainer.options import TrainingOptions

standard_artifacts = tfx.types.standard_artifacts


def _component(**options: Any) -> EmbeddingTrainer:
    return EmbeddingTrainer(
        examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        transform_graph=channel_utils.as_channel([standard_artifacts.TransformGraph()]),
        **options,
    )


def test_every_option_and_the_code_are_recorded() -> None:
    component = _component(
        options=TrainingOptions(learning_rate=1, strategy="mirrored"),
        train_splits=["train", "more"],
        text_feature="review",
    )

    assert component.exec_properties == {
        **dataclasses.asdict(TrainingOptions()),
        "learning_rate": 1.0,
        "strategy": "mirrored",
        "workers": "[]",
        "train_splits": '["train", "more"]',
        "text_feature": "review",
        "code_digest": mock.ANY,
    }
    assert isinstance(component.exec_properties["learning_rate"], float)


def test_only_several_hosts_need_a_driver() -> None:
    # On Kubeflow Pipelines a step with a driver is never cached.
    assert _component().driver_class is base_driver.BaseDriver
    options = TrainingOptions(strategy="multi_worker_mirrored", workers=("host2:7077",))
    component = _component(options=options)
    assert component.driver_class is Driver
    assert component.exec_properties["workers"] == '["host2:7077"]'


def test_the_outputs_are_what_stock_components_take() -> None:
    outputs = _component().outputs

    assert {key: channel.type for key, channel in outputs.items()} == {
        "model": standard_artifacts.Model,
        "model_run": standard_artifacts.ModelRun,
    }


@pytest.mark.parametrize(
    ("train_splits", "message"),
    [
        ("train", "train_splits is 'train'; expected a list"),
        ([], r"train_splits is \[\]; expected a list"),
    ],
)
def test_splits_that_are_no_list_of_names_are_refused(train_splits: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _component(train_splits=train_splits)


@pytest.mark.parametrize(
    "module",
    [
        "components.artifacts",
        "components.embedding_trainer.child",
        "components.embedding_trainer.cluster",
        "components.embedding_trainer.executor",
        "components.embedding_trainer.input_pipeline",
        "components.embedding_trainer.job",
        "components.embedding_trainer.keras_settings",
        "components.embedding_trainer.messages",
        "components.embedding_trainer.model",
        "components.embedding_trainer.saved_model",
        "components.embedding_trainer.strategy",
        "components.embedding_trainer.trainer",
        "components.embedding_trainer.training",
        "components.embedding_trainer.worker",
        "components.execution_properties",
        "components.text.vocabulary",
    ],
)
def test_an_edit_of_what_training_depends_on_is_seen_by_the_cache(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = pathlib.Path(str(importlib.import_module(module).__file__))
    before = _component().exec_properties["code_digest"]
    read_bytes = pathlib.Path.read_bytes
    monkeypatch.setattr(
        pathlib.Path,
        "read_bytes",
        lambda path: read_bytes(path) + (b"# Edited" if path == edited else b""),
    )

    assert _component().exec_properties["code_digest"] != before
