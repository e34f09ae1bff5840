"""Runs whole pipelines as users do, and reads what they leave in ML Metadata."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import ml_metadata
import pytest
import tensorflow_datasets as tfds
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.tools.cli.cli_main import cli_group

from pipeline_def import __main__ as command_line

PROJECT = pathlib.Path(__file__).parents[1]
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_MAKES_OWN = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # Set by a `make test` that runs the tests.

RESOLVER = "Resolver"  # Queries ML Metadata in each run; never cached.
STEPS = {
    "TfdsExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "Transform",
    "EmbeddingTrainer",
    "Evaluator",
    "Pusher",
    "ProjectorExporter",
}


@dataclasses.dataclass(frozen=True)
class Run:
    """The results of a pipeline's run.

    Attributes:
        code: Its exit code, 1 for an exit with a message.
        printed: Its stdout and stderr.
        states: For each step, how it ended: COMPLETE, CACHED or FAILED.
        artifacts: The newest artifact of each type in the store at its end.
    """

    code: int
    printed: str
    states: dict[str, str]
    artifacts: dict[str, mlmd.Artifact]

    def lines(self, label: str) -> list[str]:
        """Returns the values of the summary's lines with a label."""
        width = len("Projection:  ")
        return [
            line[width:]
            for line in self.printed.splitlines()
            if line[:width].rstrip() in (label, f"{label}:")
        ]

    def line(self, label: str) -> str:
        (line,) = self.lines(label)
        return line


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """A configured pipeline.

    Attributes:
        name: Its name.
        engine: The TFX engine that runs it: 'beam' or 'local'.
        directory: The directory of everything that it writes.
        variables: Environment variables that configure it.
    """

    name: str
    engine: str
    directory: pathlib.Path
    variables: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def root(self) -> pathlib.Path:
        return self.directory / "output" / self.name

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PIPELINE__OUTPUT_DIR": str(self.directory / "output"),
            "PIPELINE__DATASET__DATA_DIR": str(self.directory / "tfds"),
            "PIPELINE__PUBLISH_DIR": str(self.directory / "published"),
            f"{self.engine.upper()}_HOME": str(self.directory / "home"),
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            **self.variables,
        }

    def make(self, target: str) -> list[str]:
        """Returns the command line of a make target that does not set up the environment anew."""
        return ["make", "-o", f".venv/.ready-{_PYTHON}", f"PYTHON={_PYTHON}", target]

    def spawn(self, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Starts a command in a new process, with the pipeline's variables."""
        inherited = {key: value for key, value in os.environ.items() if key not in _MAKES_OWN}
        environment = {**inherited, **self.environment}
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run_command(self, command: Sequence[str]) -> Run:
        """Runs the pipeline by a command in a new process."""
        with self.spawn(command) as process:
            printed, _ = process.communicate()
        return self._left(process.returncode, printed)

    def tfx(self, *arguments: str) -> list[str]:
        """Returns a command line of the tfx command."""
        return ["tfx", *arguments[:2], "--engine", self.engine, *arguments[2:]]

    def run_tfx(self, *arguments: str) -> Run:
        """Runs the pipeline by the tfx command, which starts a process for it."""
        return self._left(*self._call_tfx(*arguments))

    def tfx_here(self, *arguments: str) -> str:
        """Runs the tfx command in this process, which has imported TFX; returns its output."""
        code, printed = self._call_tfx(*arguments)
        assert code == 0, printed
        return printed

    def _call_tfx(self, *arguments: str) -> tuple[int, str]:
        with self._in_environment():
            return _printed_by(lambda: cli_group(self.tfx(*arguments)[1:], standalone_mode=False))

    def run(self, **variables: str) -> Run:
        """Runs the pipeline in this process, which has imported TFX.

        Args:
            **variables: Variables of this run alone, such as TRAINING__EPOCHS for
                PIPELINE__TRAINING__EPOCHS.
        """
        with self._in_environment(
            {f"PIPELINE__{name}": value for name, value in variables.items()}
        ):
            code, printed = _printed_by(lambda: command_line.run(self.engine))
        return self._left(code, printed)

    def artifacts(self, kind: str) -> list[mlmd.Artifact]:
        """Returns all artifacts of a type, oldest first."""
        found = self._store().get_artifacts_by_type(kind)
        return sorted(found, key=lambda artifact: artifact.id)

    def inputs_of(self, step: str) -> dict[str, list[int]]:
        """Returns the ids of the artifacts that a step's newest execution took, by input."""
        store = self._store()
        (kind,) = (
            made.name for made in store.get_execution_types() if made.name.endswith(f".{step}")
        )
        newest = max(execution.id for execution in store.get_executions_by_type(kind))
        taken: dict[str, list[int]] = {}
        for event in store.get_events_by_execution_ids([newest]):
            if event.type == mlmd.Event.INPUT:
                taken.setdefault(event.path.steps[0].key, []).append(event.artifact_id)
        return taken

    @contextlib.contextmanager
    def _in_environment(self, variables: dict[str, str] | None = None) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(PROJECT)
            for name, value in {**self.environment, **(variables or {})}.items():
                patch.setenv(name, value)
            yield

    def _left(self, code: int, printed: str) -> Run:
        store = self._store()
        runs = sorted(context.id for context in store.get_contexts_by_type("pipeline_run"))
        states = {
            execution.type.rpartition(".")[2]: mlmd.Execution.State.Name(execution.last_known_state)
            for run in runs[-1:]
            for execution in store.get_executions_by_context(run)
        }
        by_age = sorted(store.get_artifacts(), key=lambda artifact: artifact.id)
        return Run(code, printed, states, {artifact.type: artifact for artifact in by_age})

    def _store(self) -> ml_metadata.MetadataStore:
        path = str(self.root / "metadata.sqlite")
        with metadata.Metadata(metadata.sqlite_metadata_connection_config(path)) as connected:
            return connected.store


def _printed_by(call: Callable[[], object]) -> tuple[int, str]:
    """Calls a function; returns the exit code that a process would have had, and its output."""
    with tempfile.TemporaryFile("w+") as file, contextlib.ExitStack() as stack:
        for descriptor in (1, 2):
            stack.callback(_restore, descriptor, os.dup(descriptor))
            os.dup2(file.fileno(), descriptor)
        with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            try:
                call()
                code = 0
            except SystemExit as end:
                print(end.code, file=file)
                code = 1
        file.seek(0)
        return code, file.read()


def _restore(descriptor: int, original: int) -> None:
    os.dup2(original, descriptor)
    os.close(original)


def prepare(
    data_dir: pathlib.Path,
    name: str,
    features: tfds.features.FeaturesDict,
    splits: dict[str, list[dict[str, object]]],
) -> None:
    """Prepares version 1.0.0 of a dataset, and replaces one that exists."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name,
        version="1.0.0",
        features=features,
        split_datasets={split: list(enumerate(rows)) for split, rows in splits.items()},
        data_dir=data_dir,
    )


def run_components(components: Sequence[BaseNode], directory: pathlib.Path) -> str:
    """Runs components as a pipeline with the cache on, and returns how the last one ended.

    Args:
        components: The components; the state of the last one is returned.
        directory: Where artifacts and store are written, and found again by later runs.

    Returns:
        The state of the newest execution: COMPLETE, CACHED or FAILED.
    """
    connection = metadata.sqlite_metadata_connection_config(str(directory / "metadata.sqlite"))
    LocalDagRunner().run(
        tfx_pipeline.Pipeline(
            pipeline_name="alone",
            pipeline_root=str(directory / "artifacts"),
            components=list(components),
            enable_cache=True,
            metadata_connection_config=connection,
        )
    )
    with metadata.Metadata(connection) as connected:
        executions = connected.store.get_executions_by_type(components[-1].type)
    newest = max(executions, key=lambda execution: execution.id)
    return str(mlmd.Execution.State.Name(newest.last_known_state))
