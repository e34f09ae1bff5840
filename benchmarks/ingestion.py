"""Measures TfdsExampleGen, CsvExampleGen and a plain copy of the records on the same reviews.

Each component is the only step of a pipeline. The time includes its driver, but not writing the CSV
files. TfdsExampleGen runs on in-memory Beam, as in the pipeline. CsvExampleGen runs once like that,
and once in several processes as in TFX's IMDB example. The copy uses TensorFlow's record reader and
writer with the compression of TfdsExampleGen, in one thread.
"""

import pathlib
import statistics
import time
from typing import Any

import tensorflow as tf
from tfx import v1 as tfx
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

from benchmarks import setting, steps, stock
from components import TfdsExampleGen
from components.tfds_example_gen import dataset
from pipeline_def.pipeline import create_pipeline

_REPEATS = 3
_COMPRESSION = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


def main() -> None:
    """Measures and prints a JSON line."""
    chosen = setting.from_arguments(__doc__)
    work = chosen.fresh("ingestion")
    stock.write_csv(chosen, work / "csv")
    resolved = dataset.resolve(**_arguments(chosen))
    in_memory = create_pipeline(chosen.config).beam_pipeline_args
    seconds: dict[str, list[float]] = {"tfds": [], "copy": []}
    for repeat in range(_REPEATS):
        example_gen = TfdsExampleGen(**_arguments(chosen))
        seconds["tfds"].append(_run(work / f"tfds-{repeat}", example_gen, in_memory))
        seconds["copy"].append(_copy(chosen, resolved))
    # A new component each time, because a pipeline stores its Beam arguments on the component.
    for name, arguments in (("csv", stock.BEAM), ("csv_in_memory", in_memory)):
        example_gen = stock.csv_example_gen(work / "csv")
        seconds[name] = [_run(work / f"run-{name}", example_gen, arguments)]
    medians = {f"{name}_seconds": statistics.median(values) for name, values in seconds.items()}
    setting.report({**medians, "examples": sum(resolved.examples_per_split.values())})


def _run(directory: pathlib.Path, component: Any, beam_pipeline_args: list[str]) -> float:
    pipeline = tfx.dsl.Pipeline(
        pipeline_name=directory.name,
        pipeline_root=str(directory),
        components=[component],
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            f"{directory}.sqlite"
        ),
        beam_pipeline_args=beam_pipeline_args,
    )
    with steps.told() as seconds:
        BeamDagRunner().run(pipeline)
    return sum(seconds.values())


def _copy(chosen: setting.Setting, resolved: dataset.TextDataset) -> float:
    start = time.monotonic()
    for split, ranges in resolved.ranges.items():
        path = str(chosen.work / "ingestion" / f"{split}.gz")
        with tf.io.TFRecordWriter(path, _COMPRESSION) as writer:
            for part in ranges:
                for record in tf.data.TFRecordDataset(part.file).as_numpy_iterator():
                    writer.write(record)
    return time.monotonic() - start


def _arguments(chosen: setting.Setting) -> dict[str, Any]:
    options = chosen.config.dataset
    return {
        "dataset": options.name,
        "splits": {"train": options.train, "eval": options.eval},
        "data_dir": options.data_dir,
        "builder_module": options.builder_module,
    }


if __name__ == "__main__":
    main()
