"""Measures this project and its peers in turn on the same data: ``make bench``.

Each part is a process whose last line of output is a JSON object of metrics. Cheap parts run
several times, alternating with the others, so that other load on the machine affects all of them.
Prints medians, and ratios with their targets. Writes both to ``benchmarks/results.json``, with all
single values, the machine and the versions.
"""

import argparse
import collections
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import sys
from typing import Any

from benchmarks import process, setting

RESULTS = pathlib.Path(__file__).parent / "results.json"
_PACKAGES = ("tfx", "tensorflow", "keras", "apache-beam", "tensorflow-datasets")


@dataclasses.dataclass(frozen=True)
class Part:
    """A benchmark, which is a module of this package.

    Attributes:
        repeats: Number of runs.
        by_default: Whether it runs without `--only`.
    """

    repeats: int = 1
    by_default: bool = True


PARTS = {
    "pipeline": Part(repeats=2),
    "stock": Part(repeats=2),
    "tutorial": Part(repeats=3),
    "training": Part(repeats=3),
    "neighbors": Part(),
    "ingestion": Part(),
    "export": Part(),
    "growth": Part(by_default=False),  # Half an hour.
}


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound of a median, or of the ratio of two.

    Attributes:
        name: Description, for the output.
        value: 'part.metric', or two of them separated by a slash for their ratio.
        bound: Smallest or largest value that reaches the target.
        at_least: Whether `bound` is the smallest value; otherwise it is the largest.
    """

    name: str
    value: str
    bound: float
    at_least: bool = False

    def is_reached(self, value: float) -> bool:
        """Returns whether a value is within the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


TARGETS = (
    Target("accuracy on the test split", "training.test_accuracy", 0.88, at_least=True),
    Target(
        "training to the end / one epoch of the tutorial",
        "training.fit_seconds/tutorial.fit_seconds",
        1,
    ),
    Target(
        "training examples a second / the tutorial's",
        "training.examples_per_second/tutorial.examples_per_second",
        10,
        at_least=True,
    ),
    Target("pipeline / stock pipeline", "pipeline.seconds/stock.seconds", 1 / 3),
    Target(
        "CsvExampleGen / TfdsExampleGen",
        "ingestion.csv_seconds/ingestion.tfds_seconds",
        5,
        at_least=True,
    ),
    Target(
        "CsvExampleGen, in memory too / TfdsExampleGen",
        "ingestion.csv_in_memory_seconds/ingestion.tfds_seconds",
        5,
        at_least=True,
    ),
    Target(
        "TfdsExampleGen / copying the records", "ingestion.tfds_seconds/ingestion.copy_seconds", 2
    ),
    Target(
        "all cached / importing TFX", "pipeline.cached_seconds/pipeline.tfx_import_seconds", 1.5
    ),
    Target(
        "exporting 1,000,000 x 256, all rows / writing the bytes",
        "export.arrow_seconds/export.bytes_seconds",
        1.5,
    ),
    Target("exporting 8,000 x 16, all but t-SNE, in s", "export.everything_seconds", 1),
    *(
        Target(f"growth of the {quantity} with the {kind}", f"growth.{kind}_{key}_exponent", 1)
        for kind in ("reviews", "vocabulary", "rows")
        for quantity, key in (("time", "seconds"), ("memory", "peak_mb"))
    ),
)

Measured = dict[str, dict[str, list[Any]]]


def main() -> None:
    """Runs the benchmarks, prints their results and writes them to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", help="run these parts alone")
    parser.add_argument(
        "--quick", action="store_true", help="use few reviews, to test the benchmarks"
    )
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help="file of the results")
    arguments = parser.parse_args()
    setting.require_reviews(arguments.quick)
    chosen = arguments.only or [name for name, part in PARTS.items() if part.by_default]
    measured = measure(chosen, arguments.quick)
    medians = {
        part: {metric: _median(values) for metric, values in metrics.items()}
        for part, metrics in measured.items()
    }
    ratios = judge(medians)
    print(table(medians, ratios))
    _write(
        arguments.results,
        {
            "date": f"{datetime.date.today():%Y-%m-%d}",
            "machine": machine(),
            "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
            "quick": arguments.quick,
            "ratios": ratios,
            "medians": medians,
            "measured": measured,
        },
    )
    failed = [part for part, metrics in measured.items() if not metrics]
    if failed:
        sys.exit(f"{', '.join(failed)} failed; the errors are above.")


def measure(parts: list[str], quick: bool) -> Measured:
    """Runs parts in turn.

    Args:
        parts: Names of PARTS.
        quick: Whether to run each part once, on few reviews.

    Returns:
        For each part and metric, the values of all runs; a part that failed has no metrics.
    """
    measured: Measured = {part: collections.defaultdict(list) for part in parts}
    rounds = 1 if quick else max(PARTS[part].repeats for part in parts)
    for turn in range(rounds):
        for part in parts:
            if turn >= PARTS[part].repeats:
                continue
            try:
                cost = process.run(["-m", f"benchmarks.{part}", *(["--quick"] if quick else [])])
            except RuntimeError as error:  # The other parts still run.
                print(f"{part:<10} {turn + 1}/{PARTS[part].repeats}  failed: {error}", flush=True)
                continue
            print(f"{part:<10} {turn + 1}/{PARTS[part].repeats}  {cost.seconds:6.1f} s", flush=True)
            for metric, value in json.loads(cost.output.splitlines()[-1]).items():
                measured[part][metric].append(value)
    return measured


def judge(medians: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Compares medians with the targets.

    Args:
        medians: Medians by part and metric.

    Returns:
        For each of TARGETS whose metrics were measured, its name, value, bound, and whether the
        value is within the bound.
    """
    judged = []
    for target in TARGETS:
        keys = [key.split(".") for key in target.value.split("/")]
        try:
            numbers = [medians[part][metric] for part, metric in keys]
        except KeyError:
            continue
        value = numbers[0] / numbers[1] if len(numbers) == 2 else numbers[0]
        judged.append(
            {
                "name": target.name,
                "value": value,
                "target": f"{'>=' if target.at_least else '<='} {target.bound:.3g}",
                "reached": target.is_reached(value),
            }
        )
    return judged


def table(medians: dict[str, dict[str, Any]], ratios: list[dict[str, Any]]) -> str:
    """Formats medians and ratios for a terminal."""
    lines = []
    for part, metrics in medians.items():
        lines.append(f"\n{part}")
        for metric, value in metrics.items():
            shown = (
                ", ".join(f"{name} {number:.1f}" for name, number in value.items())
                if isinstance(value, dict)
                else f"{value:,.3f}".rstrip("0").rstrip(".")
            )
            lines.append(f"  {metric:<28} {shown}")
    lines.append("")
    for ratio in ratios:
        verdict = "reached" if ratio["reached"] else "missed"
        lines.append(f"{ratio['name']:<50} {ratio['value']:8.3f}  {ratio['target']:<9} {verdict}")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Describes this machine."""
    cpus = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = {line.partition(": ")[2] for line in cpus if line.startswith("model name")}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": ", ".join(sorted(names)),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _median(values: list[Any]) -> Any:
    """Returns the median of numbers, or of each key of mappings of numbers."""
    if isinstance(values[0], dict):
        return {key: _median([value[key] for value in values]) for key in values[0]}
    return statistics.median(values) if isinstance(values[0], int | float) else values[0]


def _write(path: pathlib.Path, results: dict[str, Any]) -> None:
    incomplete = path.with_name(f".{path.name}.incomplete")
    incomplete.write_text(json.dumps(results, indent=2) + "\n")
    incomplete.replace(path)


if __name__ == "__main__":
    main()
