"""TfdsExampleGen and CsvExampleGen alone on the same reviews, and a plain copy of the records.

The components run as steps of a pipeline of one, driver included; reading the reviews to make the
CSV files is not measured. The copy goes through TensorFlow's own record reader and writer, with the
compression that both components write, in one process and one thread.
"""

import statistics
import time
from typing import Any

import tensorflow as tf
from tfx import v1 as tfx
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

from benchmarks import setting, steps, stock
from components.tfds_example_gen import dataset
from pipeline_def.pipeline import create_pipeline

_REPEATS = 3


def main() -> None:
    """Measures and prints a JSON line."""
    chosen = setting.from_arguments(__doc__)
    work = chosen.fresh("ingestion")
    stock.write_csv(chosen, work / "csv")
    resolved = _resolve(chosen)
    seconds: dict[str, list[float]] = {"tfds": [], "csv": [], "copy": []}
    for repeat in range(_REPEATS):
        example_gen = create_pipeline(chosen.config).components[0]
        seconds["tfds"].append(_run(chosen, example_gen, f"tfds-{repeat}"))
        seconds["copy"].append(_copy(chosen, resolved))
    seconds["csv"].append(_run(chosen, stock.csv_example_gen(work / "csv"), "csv-0"))
    medians = {f"{name}_seconds": statistics.median(values) for name, values in seconds.items()}
    setting.report({**medians, "examples": sum(resolved.examples_per_split.values())})


def _run(chosen: setting.Setting, component: Any, name: str) -> float:
    directory = chosen.work / "ingestion" / name
    pipeline = tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=str(directory),
        components=[component],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            f"{directory}.sqlite"
        ),
        beam_pipeline_args=create_pipeline(chosen.config).beam_pipeline_args,
    )
    with steps.told() as seconds:
        BeamDagRunner().run(pipeline)
    return sum(seconds.values())


def _copy(chosen: setting.Setting, resolved: dataset.TextDataset) -> float:
    start = time.monotonic()
    for split, ranges in resolved.ranges.items():
        path = str(chosen.work / "ingestion" / f"{split}.gz")
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for part in ranges:
                for record in tf.data.TFRecordDataset(part.file).as_numpy_iterator():
                    writer.write(record)
    return time.monotonic() - start


def _resolve(chosen: setting.Setting) -> dataset.TextDataset:
    options = chosen.config.dataset
    return dataset.resolve(
        options.name,
        {"train": options.train, "eval": options.eval},
        data_dir=options.data_dir,
        builder_module=options.builder_module,
    )


if __name__ == "__main__":
    main()
