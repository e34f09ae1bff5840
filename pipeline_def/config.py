"""The configuration of a pipeline run, validated before TFX is imported.

A configuration is a YAML file: the one that the environment variable ``PIPELINE_CONFIG`` names, or
``pipeline_def/configs/sample.yaml``. A variable ``PIPELINE__SECTION__FIELD`` overrides one value,
as in ``PIPELINE__TRAINING__EPOCHS=5``. Its value is parsed as YAML; text without quotes is taken
literally. Names that are not in capitals keep their case:
``PIPELINE__KUBEFLOW__STEPS__EmbeddingTrainer__CPU=4``. Relative paths are relative to the working
directory. Nothing here imports TensorFlow or TFX, so that a fault is reported at once.
"""

import dataclasses
import difflib
import os
import pathlib
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import pydantic
import yaml
from pydantic import Field, NonNegativeInt, PositiveInt

from components.embedding_trainer.options import TrainingOptions
from components.projector_exporter.options import ExportOptions
from components.text.options import VocabularyOptions
from pipeline_def.kubeflow.settings import Kubeflow

SAMPLE = pathlib.Path(__file__).parent / "configs" / "sample.yaml"
_OVERRIDE = "PIPELINE__"

Character = Annotated[str, Field(min_length=1, max_length=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


def _require_local(path: str) -> str:
    if "://" in path:
        raise ValueError(f"expected a path of this machine, found the URI {path!r}.")
    return os.path.expanduser(path)


def _make_absolute(path: str) -> str:
    return path if "://" in path else str(pathlib.Path(os.path.expanduser(path)).absolute())


LocalPath = Annotated[str, pydantic.AfterValidator(_require_local)]
AbsolutePath = Annotated[str, Field(min_length=1), pydantic.AfterValidator(_make_absolute)]


class ConfigError(ValueError):
    """Tells why a configuration cannot be used; the message has a line for each fault."""


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Dataset(_Section):
    """The TFDS dataset, or files, and their splits."""

    name: str | None = None
    """TFDS name, with or without config and version: ``imdb_reviews/plain_text:1.0.0``."""
    files: dict[str, AbsolutePath] | None = None
    """Instead of a name, files by the name of a split: ``{train: a.csv, eval: b.csv}``, or
    ``{data: reviews.csv}`` with split expressions such as ``data[:90%]``. CSV, TSV, JSON lines or
    Parquet, also gzipped, a pattern of names, or a directory with a subdirectory of text files for
    each class."""
    train: str = "train"
    """TFDS split expression of the examples to train on, such as ``train[:90%]``."""
    eval: str = "test"
    """TFDS split expression of the examples that Evaluator judges the model on. The default is
    ``eval`` if `files` has that split."""
    text_feature: str | None = None
    """Feature or column with the text; ``None``: the first of the dataset's supervised keys or, for
    files, ``text``."""
    label_feature: str | None = None
    """Feature or column with the label; ``None``: the second of the dataset's supervised keys or,
    for files, ``label``."""
    encoding: str = "utf8"
    """Encoding of the files."""
    delimiter: Character | None = None
    """Delimiter of CSV files; ``None``: a comma, or a tab in .tsv files."""
    quote_char: Character = '"'
    """Character that quotes values of CSV files."""
    column_names: list[str] = []
    """Columns of CSV files that have no header."""
    data_dir: str | None = None
    """TFDS data directory; ``None``: ``TFDS_DATA_DIR``, or TFDS's own default."""
    builder_module: str | None = None
    """Dotted name of a module that registers the builder of a dataset that TFDS does not have."""
    allow_overlap: bool = False
    """Whether `train` and `eval` may share examples."""
    schema_file: LocalPath | None = None
    """Curated schema in TensorFlow Metadata's text format; ``None``: SchemaGen infers one."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _evaluate_on_eval_file(cls, values: Any) -> Any:
        files = values.get("files") if isinstance(values, dict) else None
        return {"eval": "eval", **values} if isinstance(files, dict) and "eval" in files else values

    @pydantic.model_validator(mode="after")
    def _require_name_or_files(self) -> "Dataset":
        if (self.name is None) == (self.files is None):
            raise ValueError(
                "expected either name, a dataset of TFDS, or files, such as {data: reviews.csv}."
            )
        return self


class Evaluation(_Section):
    """The bounds that a model must meet to be blessed and pushed."""

    min_accuracy: Fraction
    """Accuracy that a model must reach on the eval split."""
    max_accuracy_drop: Fraction = 0.01
    """Accuracy that a model may lose against the latest blessed model."""
    min_balanced_accuracy: Fraction = 0.0
    """Mean of the classes' recalls that a model must reach on the eval split. Naming one of n
    classes every time reaches 1/n, however frequent that class is."""


class Beam(_Section):
    """Where and how Beam executes the steps that it distributes."""

    runner: Literal["local", "portable", "flink"] = "local"
    """``local``: Beam's DirectRunner on this machine. ``portable``: the runner behind
    ``--job_endpoint``. ``flink``: the Flink session cluster ``--flink_master``."""
    direct_running_mode: Literal["in_memory", "multi_threading", "multi_processing"] = "in_memory"
    """How the DirectRunner and its workers communicate: in memory, or through gRPC with a thread or
    a process for each worker."""
    direct_num_workers: NonNegativeInt = 0
    """Number of the DirectRunner's parallel workers; 0: one for each core."""
    pipeline_args: Annotated[list[str], Field(max_length=20)] = []
    """Beam's own arguments, such as ``--job_endpoint=HOST:PORT``."""

    @pydantic.model_validator(mode="after")
    def _require_address(self) -> "Beam":
        needed = {"portable": "--job_endpoint=", "flink": "--flink_master="}.get(self.runner)
        if needed and not any(argument.startswith(needed) for argument in self.pipeline_args):
            raise ValueError(
                f"expected {needed}HOST:PORT among pipeline_args for the runner {self.runner}, "
                f"found {self.pipeline_args}."
            )
        return self


class Database(_Section):
    """A MySQL or PostgreSQL database for ML Metadata."""

    kind: Literal["mysql", "postgresql"]
    host: str
    port: PositiveInt
    database: str
    user: str
    password_variable: str | None = None
    """Environment variable that holds the password; ``None``: no password."""


class PipelineConfig(_Section):
    """The configuration of `create_pipeline`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=100)]
    """Name of the pipeline: lower-case letters, digits and, inside, hyphens. Kubeflow Pipelines
    allows 128 characters for the name of a version or run, which is this name and the time."""
    output_dir: LocalPath = "output"
    """Directory of the outputs of all pipelines, one subdirectory for each pipeline's name."""
    publish_dir: AbsolutePath | None = None
    """Directory or URI that each new projection is copied to, for a TensorBoard that is always on;
    ``None``: no copies."""
    dataset: Dataset
    vocabulary: VocabularyOptions = VocabularyOptions()
    """What a token is."""
    training: TrainingOptions = TrainingOptions()
    """How the model is trained."""
    projection: ExportOptions = ExportOptions()
    """What the projection shows."""
    evaluation: Evaluation
    beam: Beam = Beam()
    metadata: Database | None = None
    """The ML Metadata database; ``None``: an SQLite file in the pipeline's directory."""
    kubeflow: Kubeflow = Kubeflow()
    """How the pipeline runs on Kubeflow Pipelines."""

    @property
    def root(self) -> pathlib.Path:
        """The pipeline's own directory, absolute."""
        return pathlib.Path(self.output_dir).absolute() / self.name


def load(environment: Mapping[str, str] = os.environ) -> PipelineConfig:
    """Returns the validated configuration that the environment chooses.

    Args:
        environment: Variables: `PIPELINE_CONFIG` names the file, `PIPELINE__…` override values.

    Raises:
        ConfigError: The file is missing or is not a YAML mapping, a key is unknown, a value has
            another type or is out of range, or a file that the configuration names is missing.
    """
    path = pathlib.Path(environment.get("PIPELINE_CONFIG") or SAMPLE)
    values = _read(path)
    _override(values, environment)
    try:
        config = PipelineConfig.model_validate(values)
    except pydantic.ValidationError as error:
        faults = "\n".join(f"  {_fault(details)}" for details in error.errors())
        raise ConfigError(f"The configuration {path} cannot be used:\n{faults}") from error
    _require_schema(config, path)
    return config


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The configuration {path} cannot be read: {error.strerror}. "
            "Set PIPELINE_CONFIG to a YAML file such as pipeline_def/configs/imdb.yaml."
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"The configuration {path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"The configuration {path}: expected a mapping with keys such as name and dataset, "
            f"found {values!r:.80}."
        )
    return values


def _override(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    for variable, text in environment.items():
        if not variable.startswith(_OVERRIDE):
            continue
        # Keys are lower-case, names of steps are not: a word in capitals is a key.
        words = variable.removeprefix(_OVERRIDE).split("__")
        *sections, field = (word.lower() if word.isupper() else word for word in words)
        section = values
        for name in sections:
            section[name] = section.get(name) or {}
            section = section[name]
            if not isinstance(section, dict):
                raise ConfigError(f"{variable}: {name} is a single value, not a section.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{variable}: {text!r} is not YAML: {error}") from error
        # Text without quotes is taken literally: YAML would cut a path at ' #', as at a comment.
        is_plain = isinstance(value, str) and text.lstrip()[0] not in "'\""
        section[field] = text.strip() if is_plain else value


def _fault(details: Any) -> str:
    *sections, key = details["loc"]
    place = ".".join(str(part) for part in details["loc"])
    match details["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            known = _keys(sections)
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Expected one of {', '.join(known)}."
            return f"{place}: there is no such key. {hint}"
        case "missing":
            return f"{place}: is required."
        case "value_error":  # The message of our own validators says what was found.
            return f"{place}: {details['ctx']['error']}"
    return f"{place}: {details['msg']}, found {details['input']!r}."


def _keys(sections: list[str | int]) -> list[str]:
    """Returns the keys that a section can have, given the keys and indices that lead to it."""
    section: Any = PipelineConfig
    for name in sections:
        if get_origin(section) in (dict, list):
            section = get_args(section)[-1]
            continue
        section = section.model_fields[name].annotation
        if isinstance(section, UnionType):  # X | None
            section = get_args(section)[0]
    if dataclasses.is_dataclass(section):
        return [field.name for field in dataclasses.fields(section)]
    return list(section.model_fields)


def _require_schema(config: PipelineConfig, path: pathlib.Path) -> None:
    schema = config.dataset.schema_file
    if schema and not pathlib.Path(schema).is_file():
        raise ConfigError(
            f"The configuration {path} cannot be used:\n  dataset.schema_file: there is no file "
            f"{pathlib.Path(schema).absolute()}. Name one, or remove the key to infer a schema."
        )
