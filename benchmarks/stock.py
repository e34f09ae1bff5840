"""Measures a pipeline of TFX's stock components on the same reviews, after TFX's IMDB example.

As in `tfx/examples/imdb`, the reviews are one CSV file for each split, words are split at spaces
and padded to 400 ids, and Beam runs in several processes. The model is that of the Embedding
Projector tutorial, trained for one epoch in batches of 64.

``python -m benchmarks.stock`` writes the CSV files and runs the pipeline as a new process, which is
``python -m benchmarks.stock run``; the time includes both.
"""

import csv
import pathlib
import sys
import time
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_model_analysis as tfma
import tensorflow_transform as tft
from tfx import v1 as tfx
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx_bsl.public import tfxio

from benchmarks import process, setting, steps

_TEXT, _LABEL, _IDS = "text", "label", "ids"
_VOCABULARY_SIZE = 8000
_LENGTH = 400
_BATCH_SIZE = 64
BEAM = ["--direct_running_mode=multi_processing", "--direct_num_workers=0"]


def main() -> None:
    """Measures and prints a JSON line."""
    setting.report(measure(setting.from_arguments(__doc__)))


def measure(chosen: setting.Setting) -> dict[str, Any]:
    """Writes the reviews as CSV files and runs the pipeline on them.

    Args:
        chosen: The reviews.

    Returns:
        Time and memory, by metric.
    """
    start = time.monotonic()
    write_csv(chosen, chosen.fresh("stock") / "csv")
    csv_seconds = time.monotonic() - start
    cost = process.run(["-m", "benchmarks.stock", "run", str(chosen.work / "stock")])
    return {
        "seconds": csv_seconds + cost.seconds,
        "csv_seconds": csv_seconds,
        "cpu_seconds": cost.cpu_seconds,
        "peak_mb": cost.peak_mb,
        "steps": cost.steps,
    }


def write_csv(chosen: setting.Setting, directory: pathlib.Path) -> None:
    """Writes the reviews for CsvExampleGen.

    Args:
        chosen: The reviews.
        directory: Where to make a directory for each split.
    """
    for split in ("train", "eval"):
        path = directory / split / "reviews.csv"
        path.parent.mkdir(parents=True)
        texts, labels = chosen.reviews(split)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([_LABEL, _TEXT])
            writer.writerows(zip(labels, texts, strict=True))


def csv_example_gen(directory: pathlib.Path) -> tfx.components.CsvExampleGen:
    """Returns the component that reads the files of `write_csv`."""
    splits = [
        tfx.proto.Input.Split(name=split, pattern=f"{split}/*.csv") for split in ("train", "eval")
    ]
    return tfx.components.CsvExampleGen(
        input_base=str(directory), input_config=tfx.proto.Input(splits=splits)
    )


def create_pipeline(directory: pathlib.Path) -> tfx.dsl.Pipeline:
    """Makes the pipeline.

    Args:
        directory: Directory of all outputs, which has the CSV files in `csv`.
    """
    example_gen = csv_example_gen(directory / "csv")
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = tfx.components.SchemaGen(statistics=statistics, infer_feature_shape=True)
    schema = schema_gen.outputs["schema"]
    validator = tfx.components.ExampleValidator(statistics=statistics, schema=schema)
    transform = tfx.components.Transform(
        examples=examples, schema=schema, preprocessing_fn="benchmarks.stock.preprocessing_fn"
    )
    trainer = tfx.components.Trainer(
        run_fn="benchmarks.stock.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        train_args=tfx.proto.TrainArgs(),
        eval_args=tfx.proto.EvalArgs(),
    )
    model = trainer.outputs["model"]
    baseline = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("LatestBlessedModel")
    evaluator = tfx.components.Evaluator(
        examples=examples,
        model=model,
        baseline_model=baseline.outputs["model"],
        eval_config=_eval_config(),
    )
    pusher = tfx.components.Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(
                base_directory=str(directory / "serving")
            )
        ),
    )
    return tfx.dsl.Pipeline(
        pipeline_name="stock",
        pipeline_root=str(directory / "artifacts"),
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            validator,
            transform,
            trainer,
            baseline,
            evaluator,
            pusher,
        ],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(directory / "metadata.sqlite")
        ),
        beam_pipeline_args=BEAM,
    )


def preprocessing_fn(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Splits the reviews at spaces and pads them, as `tfx/examples/imdb` does."""
    words = tf.strings.split(tf.reshape(inputs[_TEXT], [-1])).to_sparse()
    ids = tft.compute_and_apply_vocabulary(
        words, default_value=_VOCABULARY_SIZE, top_k=_VOCABULARY_SIZE
    )
    dense = tf.pad(
        tf.sparse.to_dense(ids, default_value=-1), [[0, 0], [0, _LENGTH]], "CONSTANT", -1
    )
    return {_LABEL: inputs[_LABEL], _IDS: tf.slice(dense, [0, 0], [-1, _LENGTH]) + 1}


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Trains the tutorial's model for one epoch; called by the stock Trainer."""
    transform_output = tft.TFTransformOutput(fn_args.transform_output)

    def batches(files: list[str]) -> tf.data.Dataset:
        return fn_args.data_accessor.tf_dataset_factory(
            files,
            tfxio.TensorFlowDatasetOptions(
                batch_size=_BATCH_SIZE, label_key=_LABEL, num_epochs=1, drop_final_batch=True
            ),
            transform_output.transformed_metadata.schema,
        )

    ids = keras.Input((_LENGTH,), dtype="int64", name=_IDS)
    embedded = keras.layers.Embedding(_VOCABULARY_SIZE + 2, 16)(ids)
    mean = keras.layers.GlobalAveragePooling1D()(embedded)
    hidden = keras.layers.Dense(16, activation="relu")(mean)
    model = keras.Model({_IDS: ids}, keras.layers.Dense(1)(hidden))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    model.fit(batches(fn_args.train_files), validation_data=batches(fn_args.eval_files), verbose=2)
    model.transform = transform_output.transform_features_layer()
    raw_spec = {_TEXT: transform_output.raw_feature_spec()[_TEXT]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: tf.Tensor) -> tf.Tensor:
        return model(model.transform(tf.io.parse_example(examples, raw_spec)))

    tf.saved_model.save(model, fn_args.serving_model_dir, signatures={"serving_default": serve})


def _eval_config() -> tfma.EvalConfig:
    threshold = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": 0.01}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -1.0}
        ),
    )
    metrics = [tfma.MetricConfig(class_name="BinaryAccuracy", threshold=threshold)]
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key=_LABEL)],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        with steps.told():
            BeamDagRunner().run(create_pipeline(pathlib.Path(sys.argv[2])))
    else:
        main()
