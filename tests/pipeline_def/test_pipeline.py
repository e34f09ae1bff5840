import dataclasses
import importlib
import json
import os
import pathlib
from typing import Any

import pytest
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx import v1 as tfx
from tfx.dsl.compiler.compiler import Compiler

from components import execution_properties
from components.code_digest import source_digest
from components.embedding_trainer.options import TrainingOptions
from components.projector_exporter.options import ExportOptions
from components.text.options import PreprocessingOptions
from components.tfds_example_gen.files import Columns, TextFiles
from pipeline_def.config import PipelineConfig
from pipeline_def.pipeline import DeploymentTarget, create_pipeline
from tests.pipelines import PROJECT

# No value is the default, so a setting that does not arrive is noticed.
VALUES: dict[str, Any] = {
    "name": "own",
    "publish_dir": "/srv/tensorboard",
    "dataset": {
        "name": "own_reviews:2.0.0",
        "train": "train[:80%]",
        "eval": "train[80%:]",
        "text_feature": "review",
        "label_feature": "verdict",
        "data_dir": "/data",
        "builder_module": "own.reviews",
        "allow_overlap": True,
        "schema_file": str(PROJECT / "schemas" / "sample_reviews.pbtxt"),
    },
    "vocabulary": {
        "tokenizer": "subwords",
        "top_k": 123,
        "skip_top": 4,
        "frequency_threshold": 5,
    },
    "training": {"embedding_dim": 7, "epochs": 3, "learning_rate": 0.25, "strategy": "one_device"},
    "projection": {"layouts": ["pca"], "probe_words": ["good"], "formats": ["arrow"]},
    "evaluation": {
        "min_accuracy": 0.7,
        "max_accuracy_drop": 0.125,
        "min_balanced_accuracy": 0.25,
    },
    "beam": {"direct_running_mode": "multi_processing", "direct_num_workers": 3},
}


@pytest.fixture
def config(tmp_path: pathlib.Path) -> PipelineConfig:
    return PipelineConfig.model_validate({**VALUES, "output_dir": str(tmp_path)})


@pytest.fixture
def pipeline(config: PipelineConfig) -> tfx.dsl.Pipeline:
    return create_pipeline(config)


def properties(pipeline: tfx.dsl.Pipeline, node: str) -> dict[str, Any]:
    (found,) = (component for component in pipeline.components if component.id == node)
    return dict(found.exec_properties)


def test_the_dataset_reaches_the_example_gen(pipeline: tfx.dsl.Pipeline) -> None:
    found = properties(pipeline, "TfdsExampleGen")
    splits = json.loads(found.pop("input_config"))["splits"]
    assert {split["name"]: split["pattern"] for split in splits} == {
        "train": "train[:80%]",
        "eval": "train[80%:]",
    }
    assert found["dataset"] == "own_reviews:2.0.0"
    arrive_otherwise = {"name", "train", "eval", "schema_file"}
    asked = {key: VALUES["dataset"][key] for key in VALUES["dataset"].keys() - arrive_otherwise}
    assert {key: found.get(key) for key in asked} == asked


def test_files_reach_the_example_gen() -> None:
    dataset = {
        "files": {"train": "/data/a.csv", "test": "/data/b.csv"},
        "text_feature": "review",
        "label_feature": "verdict",
        "encoding": "latin-1",
        "delimiter": ";",
        "quote_char": "'",
        "column_names": ["review", "verdict"],
    }
    config = PipelineConfig.model_validate(
        {"name": "own", "dataset": dataset, "evaluation": {"min_accuracy": 0.5}}
    )
    found = TextFiles.from_json(properties(create_pipeline(config), "TfdsExampleGen")["files"])
    assert found.files == dataset["files"]
    assert found.columns == Columns(
        text="review",
        label="verdict",
        encoding="latin-1",
        delimiter=";",
        quote_char="'",
        column_names=["review", "verdict"],
    )


def test_options_reach_their_component(config: PipelineConfig, pipeline: tfx.dsl.Pipeline) -> None:
    trained = properties(pipeline, "EmbeddingTrainer")
    assert execution_properties.from_properties(TrainingOptions, trained) == config.training
    exported = properties(pipeline, "ProjectorExporter")
    assert execution_properties.from_properties(ExportOptions, exported) == config.projection
    assert (exported["run_prefix"], exported["publish_dir"]) == ("own", "/srv/tensorboard")
    given = json.loads(properties(pipeline, "Transform")["custom_config"])
    expected = PreprocessingOptions(**dataclasses.asdict(config.vocabulary))
    assert PreprocessingOptions.from_custom_config(given) == expected


def test_the_bounds_reach_evaluator(pipeline: tfx.dsl.Pipeline) -> None:
    given = properties(pipeline, "Evaluator")
    assert json.loads(given["example_splits"]) == ["eval"]
    evaluation = json_format.Parse(given["eval_config"], tfma.EvalConfig())
    bounds = {
        metric: bound.threshold
        for metric, bounds in evaluation.metrics_specs[0].per_slice_thresholds.items()
        for bound in bounds.thresholds
    }
    accuracy = bounds.pop("sparse_categorical_accuracy")
    assert accuracy.value_threshold.lower_bound.value == 0.7
    assert accuracy.change_threshold.absolute.value == -0.125
    assert bounds.pop("balanced_accuracy").value_threshold.lower_bound.value == 0.25
    assert not bounds


def test_only_training_examples_are_analyzed_and_transformed(pipeline: tfx.dsl.Pipeline) -> None:
    splits = json.loads(properties(pipeline, "Transform")["splits_config"])
    assert splits == {"analyze": ["train"], "transform": ["train"]}


def test_statistics_need_little_memory_and_are_made_only_of_the_examples(
    pipeline: tfx.dsl.Pipeline,
) -> None:
    given = properties(pipeline, "StatisticsGen")["stats_options_json"]
    assert tfdv.StatsOptions.from_json(given).use_sketch_based_topk_uniques
    assert properties(pipeline, "Transform")["disable_statistics"] == 1


def test_edited_code_is_not_served_from_the_cache(pipeline: tfx.dsl.Pipeline) -> None:
    for node in ("TfdsExampleGen", "EmbeddingTrainer", "Pusher", "ProjectorExporter"):
        (component,) = (made for made in pipeline.components if made.id == node)
        executor = component.executor_spec.executor_class.__module__
        assert component.exec_properties["code_digest"] == source_digest(executor)

    transform = properties(pipeline, "Transform")
    module, _, function = transform["preprocessing_fn"].rpartition(".")
    defined_in = getattr(importlib.import_module(module), function).__module__
    digest = json.loads(transform["custom_config"])["code_digest"]
    assert digest == source_digest(defined_in)

    evaluator = properties(pipeline, "Evaluator")
    metrics = (
        json_format.Parse(evaluator["eval_config"], tfma.EvalConfig()).metrics_specs[0].metrics
    )
    (defined_in,) = {metric.module for metric in metrics} - {""}
    assert evaluator["code_digest"] == source_digest(defined_in)


def wiring(pipeline: tfx.dsl.Pipeline) -> dict[str, dict[str, str]]:
    """Returns, for each node, the output that each of its inputs comes from."""
    nodes = [node.pipeline_node for node in Compiler().compile(pipeline).nodes]
    return {
        node.node_info.id: {
            key: f"{channel.producer_node_query.id}.{channel.output_key}"
            for key, given in node.inputs.inputs.items()
            for channel in given.channels
        }
        for node in nodes
    }


def test_the_nodes_are_joined_as_drawn(pipeline: tfx.dsl.Pipeline) -> None:
    joined = wiring(pipeline)
    # Two of its inputs may come from any producer in any run.
    assert sorted(joined.pop("BaselineResolver").values()) == [".", ".", "EmbeddingTrainer.model"]
    assert joined == {
        "TfdsExampleGen": {},
        "StatisticsGen": {"examples": "TfdsExampleGen.examples"},
        "ImportSchemaGen": {},
        "ExampleValidator": {
            "statistics": "StatisticsGen.statistics",
            "schema": "ImportSchemaGen.schema",
        },
        "Transform": {"examples": "TfdsExampleGen.examples", "schema": "ImportSchemaGen.schema"},
        "EmbeddingTrainer": {
            "examples": "Transform.transformed_examples",
            "transform_graph": "Transform.transform_graph",
            "raw_examples": "TfdsExampleGen.examples",
        },
        "Evaluator": {
            "examples": "TfdsExampleGen.examples",
            "model": "EmbeddingTrainer.model",
            "baseline_model": "BaselineResolver.model",
        },
        "Pusher": {"model": "EmbeddingTrainer.model", "model_blessing": "Evaluator.blessing"},
        "ProjectorExporter": {
            "model": "EmbeddingTrainer.model",
            "transform_graph": "Transform.transform_graph",
            "examples": "TfdsExampleGen.examples",
            "baseline_model": "BaselineResolver.model",
        },
    }


def test_without_a_curated_schema_it_is_inferred(config: PipelineConfig) -> None:
    dataset = config.dataset.model_copy(update={"schema_file": None})
    joined = wiring(create_pipeline(config.model_copy(update={"dataset": dataset})))
    assert "ImportSchemaGen" not in joined
    assert joined["SchemaGen"] == {"statistics": "StatisticsGen.statistics"}
    assert (
        joined["Transform"]["schema"] == joined["ExampleValidator"]["schema"] == "SchemaGen.schema"
    )


def test_an_edited_schema_is_imported_again(config: PipelineConfig, tmp_path: pathlib.Path) -> None:
    schema = tmp_path / "schema.pbtxt"
    dataset = config.dataset.model_copy(update={"schema_file": str(schema)})
    edited = config.model_copy(update={"dataset": dataset})

    def imported(text: str) -> dict[str, Any]:
        schema.write_text(text)
        return properties(create_pipeline(edited), "ImportSchemaGen")

    before = imported("feature { name: 'text' }")
    assert imported("feature { name: 'label' }") != before
    assert imported("feature { name: 'text' }") == before


def test_this_machine_keeps_everything_in_the_pipelines_directory(
    config: PipelineConfig, pipeline: tfx.dsl.Pipeline
) -> None:
    assert pipeline.pipeline_info.pipeline_name == "own"
    assert pipeline.pipeline_info.pipeline_root == str(config.root / "artifacts")
    assert pipeline.enable_cache
    sqlite = pipeline.metadata_connection_config.sqlite
    assert sqlite.filename_uri == str(config.root / "metadata.sqlite")
    destination = json.loads(properties(pipeline, "Pusher")["push_destination"])
    assert destination["filesystem"]["base_directory"] == str(config.root / "serving")
    given = [os.environ[key.encode().placeholder.key] for key in pipeline.beam_pipeline_args]
    assert set(given) >= {
        "--direct_running_mode=multi_processing",
        "--direct_num_workers=3",
    }


def test_another_target_decides_where_it_runs(config: PipelineConfig) -> None:
    metadata = ConnectionConfig()
    metadata.mysql.host = "metadata.example.com"
    pipeline = create_pipeline(
        config, DeploymentTarget("/root", None, lambda _: None, metadata, [])
    )
    joined = wiring(pipeline)
    assert {"Pusher", "BaselineResolver"}.isdisjoint(joined)
    assert "baseline_model" not in {*joined["Evaluator"], *joined["ProjectorExporter"]}
    assert pipeline.pipeline_info.pipeline_root == "/root"
    assert pipeline.metadata_connection_config == metadata
