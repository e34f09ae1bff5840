"""The pipeline: a TFDS dataset in; a gated model and the projection of its embedding out."""

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx

from components import EmbeddingTrainer, ProjectorExporter, TfdsExampleGen
from components.code_digest import source_digest
from components.evaluation import PreviousBlessedModelStrategy, eval_config
from components.text.options import VocabularyOptions
from pipeline_def.config import Database, Dataset, PipelineConfig

TRAIN, EVAL = "train", "eval"


@dataclasses.dataclass(frozen=True)
class Site:
    """What differs between the places where the pipeline runs.

    Attributes:
        pipeline_root: Where artifacts are kept; empty for where the orchestrator keeps them.
        serving_dir: Where blessed models are pushed; None for no Pusher.
        baseline: Makes the node whose output ``model`` a new model, given as a channel, is
            compared with; None from it for no comparison.
        metadata: The ML Metadata store; None for the orchestrator's own.
    """

    pipeline_root: str
    serving_dir: str | None
    baseline: Callable[[Any], Any]
    metadata: metadata_store_pb2.ConnectionConfig | None


def create_pipeline(config: PipelineConfig, site: Site | None = None) -> tfx.dsl.Pipeline:
    """Makes the pipeline of a configuration, for whatever runner.

    Args:
        config: What to run.
        site: Where to run it; None for this machine.

    Returns:
        TfdsExampleGen, StatisticsGen, the schema, ExampleValidator, Transform, EmbeddingTrainer,
        the resolver of the model to compare with, Evaluator, Pusher and ProjectorExporter.
    """
    site = site or _this_machine(config)
    dataset = config.dataset
    example_gen = TfdsExampleGen(
        dataset=dataset.name,
        splits={TRAIN: dataset.train, EVAL: dataset.eval},
        text_feature=dataset.text_feature,
        label_feature=dataset.label_feature,
        data_dir=dataset.data_dir,
        builder_module=dataset.builder_module,
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    schema_gen = _schema(dataset, statistics_gen.outputs["statistics"])
    schema = schema_gen.outputs["schema"]
    example_validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )
    transform = _transform(config.vocabulary, examples, schema)
    trainer = EmbeddingTrainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        raw_examples=examples,
        options=config.training,
    )
    model = trainer.outputs["model"]
    baseline = site.baseline(model)
    baseline_model = baseline.outputs["model"] if baseline else None
    evaluator = tfx.components.Evaluator(
        examples=examples,
        model=model,
        baseline_model=baseline_model,
        eval_config=eval_config(
            config.evaluation.min_accuracy, config.evaluation.max_accuracy_drop
        ),
        example_splits=[EVAL],
    )
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
        _pusher(site.serving_dir, model, evaluator.outputs["blessing"]),
        exporter,
    ]
    return tfx.dsl.Pipeline(
        pipeline_name=config.name,
        pipeline_root=site.pipeline_root,
        components=[node for node in nodes if node],
        enable_cache=True,
        metadata_connection_config=site.metadata,
        beam_pipeline_args=[
            f"--direct_running_mode={config.beam.running_mode}",
            f"--direct_num_workers={config.beam.workers}",
            # Of no effect here, but without it TFX packages its own sources for each component, as
            # workers in containers would need them: a second and a half each.
            "--sdk_container_image=local",
        ],
    )


def metadata_connection(config: PipelineConfig) -> metadata_store_pb2.ConnectionConfig:
    """Names the ML Metadata store of a pipeline.

    Args:
        config: The pipeline's configuration.

    Returns:
        A connection to the configured database, or to an SQLite file in the pipeline's directory.

    Raises:
        ValueError: The variable with the database's password is not set.
    """
    if config.metadata is None:
        return tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(config.root / "metadata.sqlite")
        )
    return _database_connection(config.metadata)


def _database_connection(database: Database) -> metadata_store_pb2.ConnectionConfig:
    connection = metadata_store_pb2.ConnectionConfig()
    if database.kind == "mysql":
        connection.mysql.CopyFrom(
            metadata_store_pb2.MySQLDatabaseConfig(
                host=database.host,
                port=database.port,
                database=database.database,
                user=database.user,
                password=_password(database),
            )
        )
    else:
        connection.postgresql.CopyFrom(
            metadata_store_pb2.PostgreSQLDatabaseConfig(
                host=database.host,
                port=str(database.port),
                dbname=database.database,
                user=database.user,
                # ML Metadata puts it into a libpq connection string as it is.
                password="'{}'".format(re.sub(r"(['\\])", r"\\\1", _password(database))),
            )
        )
    return connection


def _password(database: Database) -> str:
    variable = database.password_variable
    if variable is None:
        return ""
    if variable not in os.environ:
        raise ValueError(
            f"metadata.password_variable: the environment has no variable {variable}; "
            "set it to the password of the ML Metadata database."
        )
    return os.environ[variable]


def _this_machine(config: PipelineConfig) -> Site:
    return Site(
        pipeline_root=str(config.root / "artifacts"),
        serving_dir=str(config.root / "serving"),
        baseline=_previous_blessed_model,
        metadata=metadata_connection(config),
    )


def _previous_blessed_model(candidate: Any) -> tfx.dsl.Resolver:
    return tfx.dsl.Resolver(
        strategy_class=PreviousBlessedModelStrategy,
        candidate=candidate,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("BaselineResolver")


def _pusher(serving_dir: str | None, model: Any, blessing: Any) -> tfx.components.Pusher | None:
    if serving_dir is None:
        return None
    filesystem = tfx.proto.PushDestination.Filesystem(base_directory=serving_dir)
    return tfx.components.Pusher(
        model=model,
        model_blessing=blessing,
        push_destination=tfx.proto.PushDestination(filesystem=filesystem),
    )


def _schema(dataset: Dataset, statistics: Any) -> tfx.types.BaseComponent:
    if dataset.schema_file is None:
        return tfx.components.SchemaGen(statistics=statistics)
    schema_gen = tfx.components.ImportSchemaGen(schema_file=dataset.schema_file)
    # The path alone is no cache key: an edited schema would not be imported again.
    digest = hashlib.sha256(pathlib.Path(dataset.schema_file).read_bytes()).hexdigest()
    schema_gen.exec_properties["schema_digest"] = digest
    return schema_gen


def _transform(
    vocabulary: VocabularyOptions, examples: Any, schema: Any
) -> tfx.components.Transform:
    return tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="components.text.preprocessing_fn",
        # The vocabulary comes from the training reviews alone. The others are transformed by the
        # model itself, as in serving.
        splits_config=tfx.proto.SplitsConfig(analyze=[TRAIN], transform=[TRAIN]),
        custom_config={
            **dataclasses.asdict(vocabulary),
            "code_digest": source_digest("components.text"),
        },
        disable_statistics=True,  # Nobody reads those of the token ids.
    )
