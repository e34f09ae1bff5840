"""The pipeline: a labelled text dataset in; a pushed model and a projection of its embedding out.

::

    TfdsExampleGen ─ examples ─┬─ StatisticsGen ─ statistics ─┐
                               │  ImportSchemaGen ─ schema ───┴─ ExampleValidator
                               └─ Transform ─ transform_graph, transformed examples
                                     └─ EmbeddingTrainer ─ model
                                            ├─ Evaluator (against the baseline) ─ blessing ─ Pusher
                                            └─ ProjectorExporter ─ projection
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Sequence

import tensorflow_data_validation as tfdv
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx import v1 as tfx
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.placeholder import placeholder

from components import EmbeddingTrainer, ProjectorExporter, Pusher, TfdsExampleGen
from components.code_digest import source_digest
from components.evaluation import PreviousBlessedModelStrategy, eval_config
from components.text.features import LABEL, TEXT
from components.tfds_example_gen.files import Columns, TextFiles
from pipeline_def import metadata_store, workers
from pipeline_def.config import Dataset, PipelineConfig

TRAIN, EVAL = "train", "eval"


@dataclasses.dataclass(frozen=True)
class DeploymentTarget:
    """Describes the place where the pipeline runs.

    Attributes:
        pipeline_root: Directory or URI of the artifacts; empty for the orchestrator's default.
        serving_dir: Directory or URI that blessed models are pushed to; None for no Pusher.
        baseline: Takes the channel of the trained model. Returns a node whose output `model` is the
            model to compare it with, or None for no comparison.
        metadata: The ML Metadata store; None for the orchestrator's own.
        beam_pipeline_args: Arguments of Beam, or placeholders for them.
    """

    pipeline_root: str
    serving_dir: str | None
    baseline: Callable[[tfx.types.BaseChannel], BaseNode | None]
    metadata: ConnectionConfig | None
    beam_pipeline_args: Sequence[str | placeholder.Placeholder]


def create_pipeline(
    config: PipelineConfig, target: DeploymentTarget | None = None
) -> tfx.dsl.Pipeline:
    """Returns the pipeline of a configuration.

    Args:
        config: What to run.
        target: Where to run it; None for this machine.

    Returns:
        A pipeline for any TFX runner.

    Raises:
        ValueError: A component refuses its arguments, or the environment variable with the
            database's password is not set.
    """
    target = target or _this_machine(config)

    # Reads a TFDS dataset, or the files of `dataset.files`. For data in another form, write a TFDS
    # builder and name it in `dataset`; any other ExampleGen with the features `text` and `label`
    # fits here too.
    example_gen = TfdsExampleGen(
        dataset=config.dataset.name,
        splits={TRAIN: config.dataset.train, EVAL: config.dataset.eval},
        text_feature=config.dataset.text_feature,
        label_feature=config.dataset.label_feature,
        data_dir=config.dataset.data_dir,
        builder_module=config.dataset.builder_module,
        allow_overlap=config.dataset.allow_overlap,
        files=_text_files(config.dataset),
    )
    examples = example_gen.outputs["examples"]

    # Describes the examples of each split. `stats_options` can leave features out, or sample.
    statistics_gen = tfx.components.StatisticsGen(
        examples=examples,
        # Estimates the numbers of distinct values. Exact ones keep every text in memory: 7,061 MB
        # and 92 s for 800,000 reviews instead of 788 MB and 30 s.
        stats_options=tfdv.StatsOptions(use_sketch_based_topk_uniques=True),
    )
    statistics = statistics_gen.outputs["statistics"]

    # Says which features, types and labels are expected: the curated file of `dataset.schema_file`,
    # or what the statistics show. Edit the file in schemas/ to allow other labels.
    schema_gen = _schema_gen(config.dataset, statistics)
    schema = schema_gen.outputs["schema"]

    # Compares the statistics with the schema and reports anomalies; it does not stop the run.
    example_validator = tfx.components.ExampleValidator(statistics=statistics, schema=schema)

    # Learns the vocabulary from the training split, and turns text into token ids. Change what a
    # token is in `vocabulary`, or how texts are split in components/text/.
    transform = tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="components.text.preprocessing_fn",
        # Only the trainer reads transformed examples: in evaluation, as in serving, the model
        # transforms the raw ones itself.
        splits_config=tfx.proto.SplitsConfig(analyze=[TRAIN], transform=[TRAIN]),
        custom_config={
            **dataclasses.asdict(config.vocabulary),
            "code_digest": source_digest("components.text.preprocessing"),
        },
        disable_statistics=True,  # Nothing reads statistics of token ids.
    )

    # Trains the embedding and a classifier on it. Change its size and the training in `training`,
    # the network in components/embedding_trainer/model.py.
    trainer = EmbeddingTrainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        raw_examples=examples,
        options=config.training,
    )
    model = trainer.outputs["model"]

    # Finds the model to compare with. The deployment target chooses it: on this machine the latest
    # blessed one, on a cluster a fixed one.
    baseline = target.baseline(model)
    baseline_model = baseline.outputs["model"] if baseline else None

    # Blesses a model that reaches the bounds of `evaluation` on the eval split. Add metrics, slices
    # or bounds in components/evaluation.py.
    evaluator = tfx.components.Evaluator(
        examples=examples,
        example_splits=[EVAL],
        model=model,
        baseline_model=baseline_model,
        eval_config=eval_config(**config.evaluation.model_dump()),
    )
    evaluator.exec_properties["code_digest"] = source_digest("components.evaluation")

    # Copies a blessed model to the deployment target's directory for TensorFlow Serving, if any.
    pusher = target.serving_dir and Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        serving_dir=target.serving_dir,
    )

    # Writes the embedding for TensorBoard, blessed or not. Change what it shows in `projection`.
    exporter = ProjectorExporter(
        model=model,
        transform_graph=transform.outputs["transform_graph"],
        examples=examples,
        baseline_model=baseline_model,
        options=config.projection,
        run_prefix=config.name,
        publish_dir=config.publish_dir,
    )

    nodes = [
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        transform,
        trainer,
        baseline,
        evaluator,
        pusher,
        exporter,
    ]
    return tfx.dsl.Pipeline(
        pipeline_name=config.name,
        pipeline_root=target.pipeline_root,
        components=[node for node in nodes if node],
        enable_cache=True,
        metadata_connection_config=target.metadata,
        beam_pipeline_args=list(target.beam_pipeline_args),
    )


def _this_machine(config: PipelineConfig) -> DeploymentTarget:
    return DeploymentTarget(
        pipeline_root=str(config.root / "artifacts"),
        serving_dir=str(config.root / "serving"),
        baseline=_previous_blessed_model,
        metadata=metadata_store.connection_config(config),
        beam_pipeline_args=workers.uncached_beam_pipeline_args(config.beam),
    )


def _text_files(dataset: Dataset) -> TextFiles | None:
    if dataset.files is None:
        return None
    columns = Columns(
        text=dataset.text_feature or TEXT,
        label=dataset.label_feature or LABEL,
        encoding=dataset.encoding,
        delimiter=dataset.delimiter,
        quote_char=dataset.quote_char,
        column_names=dataset.column_names,
    )
    return TextFiles(dataset.files, columns)


def _schema_gen(dataset: Dataset, statistics: tfx.types.BaseChannel) -> BaseNode:
    if dataset.schema_file is None:
        return tfx.components.SchemaGen(statistics=statistics)
    schema_gen = tfx.components.ImportSchemaGen(schema_file=dataset.schema_file)
    # TFX's cache sees only the path: without a digest an edited schema would not be imported anew.
    digest = hashlib.sha256(pathlib.Path(dataset.schema_file).read_bytes()).hexdigest()
    schema_gen.exec_properties["schema_digest"] = digest
    return schema_gen


def _previous_blessed_model(candidate: tfx.types.BaseChannel) -> tfx.dsl.Resolver:
    return tfx.dsl.Resolver(
        strategy_class=PreviousBlessedModelStrategy,
        candidate=candidate,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("BaselineResolver")
