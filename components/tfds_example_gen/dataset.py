"""A TFDS dataset as a pipeline reads it: found or prepared, pinned, checked, fingerprinted."""

import dataclasses
import difflib
import hashlib
import importlib
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from components.text.features import LABEL, TEXT
from components.tfds_example_gen.records import READABLE_FORMATS, ExampleReader, RecordRange

_NAME = re.compile(
    r"(?P<name>[a-z0-9_]+)(/(?P<config>[\w.+-]+))?(:(?P<version>(\d+|\*)(\.(\d+|\*)){2}))?"
)
_PROBE_SECONDS = 10

# Part of the fingerprint: raise it when the same records make other examples than before.
CONVERTER_VERSION = 1


@dataclasses.dataclass(frozen=True)
class TextDataset:
    """A prepared dataset and the part of it that is asked for.

    Attributes:
        name: The pinned name, such as 'imdb_reviews/plain_text:1.0.0'.
        version: The version in it, such as '1.0.0'.
        features: All features of the dataset, as TFDS describes them in JSON.
        class_names: The names of the classes 0, 1, ...; empty if the label is a plain integer.
        readers: For each split what turns its records into examples.
        ranges: For each split the records that it is made of.
    """

    name: str
    version: str
    features: str
    class_names: tuple[str, ...]
    readers: dict[str, ExampleReader]
    ranges: dict[str, tuple[RecordRange, ...]]

    @property
    def examples_per_split(self) -> dict[str, int]:
        """The number of examples of each split."""
        return {
            split: sum(part.stop - part.start for part in parts)
            for split, parts in self.ranges.items()
        }

    def fingerprint(self) -> str:
        """Digests what the examples are.

        Every example is read: a corrected label changes neither number nor size of the files, and
        none may be without text or label. Where the files are, how the dataset is spread over
        them and when they were made does not matter.

        Returns:
            64 hexadecimal digits.

        Raises:
            ValueError: An example has no text or no label.
        """
        content = {
            "dataset": self.name,
            "features": self.features,
            "class_names": self.class_names,
            "splits": {
                split: [
                    reader.text_feature,
                    reader.label_feature,
                    reader.digest(self.ranges[split]),
                ]
                for split, reader in self.readers.items()
            },
            "converter": CONVERTER_VERSION,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def resolve(
    dataset: str,
    splits: Mapping[str, str],
    text_feature: str | None = None,
    label_feature: str | None = None,
    data_dir: str | None = None,
    builder_module: str | None = None,
) -> TextDataset:
    """Finds a dataset, prepares it if it is not, and checks that it can be read as asked.

    Args:
        dataset: 'name', 'name/config' or 'name/config:version'; without a version the newest
            prepared one, or, if there is none, the one that the code makes.
        splits: A TFDS split expression, such as 'train[:90%]', for each name of a split.
        text_feature: Name of the text; None takes the input of the dataset's supervised_keys.
        label_feature: Name of the label; None takes the target of the supervised_keys.
        data_dir: Where TFDS keeps prepared datasets; None means the environment variable
            TFDS_DATA_DIR, or else ~/tensorflow_datasets.
        builder_module: Module whose import registers the dataset; None for those of TFDS.

    Returns:
        The dataset; its files exist, its records have not been read.

    Raises:
        ValueError: The dataset, its features or splits are unknown or unfit; the message says
            what was found and names what is near.
        FileNotFoundError: The dataset is not prepared and cannot be, or files of it are missing.
    """
    if builder_module:
        _import_builder(builder_module)
    builder = _prepared(dataset, _root(data_dir), builder_module)
    info = builder.info
    name = builder.get_reference().tfds_name()
    if (info.file_format or READABLE_FORMATS[0]) not in READABLE_FORMATS:
        raise ValueError(
            f"Dataset {name}: its files are {info.file_format.value}; expected "
            f"{' or '.join(known.value for known in READABLE_FORMATS)}. Prepare it again with "
            "`tfds build --file_format=tfrecord`."
        )
    text, label = _text_and_label(name, info, text_feature, label_feature)
    return TextDataset(
        name=name,
        version=str(builder.version),
        features=json.dumps(info.features.to_json(), sort_keys=True),
        class_names=_class_names(info.features[label]),
        readers={
            split: ExampleReader(
                split=expression,
                file_format=info.file_format or READABLE_FORMATS[0],
                text_feature=text,
                label_feature=label,
                verbatim=(text, label) == (TEXT, LABEL) and len(info.features) == 2,
            )
            for split, expression in splits.items()
        },
        ranges={
            split: _ranges(name, info, split, expression) for split, expression in splits.items()
        },
    )


def _root(data_dir: str | None) -> Any:
    """The directory of prepared datasets, absolute so that Beam workers find it too."""
    chosen = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return tfds.core.Path(chosen).expanduser().resolve()


def _import_builder(module: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"builder_module {module!r} cannot be imported ({error}); expected a dotted module "
            "that defines a tfds.core.DatasetBuilder and is on the Python path."
        ) from error


def _prepared(dataset: str, root: Any, builder_module: str | None) -> tfds.core.DatasetBuilder:
    """Loads a dataset from its files alone, after preparing them if there are none."""
    match = _NAME.fullmatch(dataset)
    if not match:
        raise ValueError(
            f"Dataset {dataset!r} is no name of a TFDS dataset; expected name, name/config or "
            "name/config:1.0.0, such as 'imdb_reviews/plain_text:1.0.0'."
        )
    # With a version, be it any, TFDS looks for prepared files first and takes the newest match.
    requested = dataset if match["version"] else f"{dataset}:*.*.*"
    try:
        builder = tfds.builder(requested, data_dir=os.fspath(root))
    except (AssertionError, OSError, ValueError) as error:
        unknown = _unknown_part(match, root)
        if unknown:
            raise unknown from None
        raise _unloadable(dataset, root, error) from error
    if not builder.is_prepared():
        _prepare(builder, root, builder_module)
    try:
        return tfds.builder_from_directory(builder.data_dir)
    except (OSError, ValueError) as error:
        raise _unloadable(dataset, root, error) from error


def _unloadable(dataset: str, root: Any, error: Exception) -> ValueError:
    return ValueError(
        f"Dataset {dataset!r} in {root} cannot be loaded: {str(error).splitlines()[0]} If its "
        "directory there is incomplete, remove it and run again, or copy it again."
    )


def _unknown_part(match: re.Match[str], root: Any) -> ValueError | None:
    """Says which part of a dataset's name is unknown; None if none is."""
    name, config, version = match["name"], match["config"], match["version"]
    known = [*tfds.list_builders(with_community_datasets=False), *_subdirectories(root)]
    if name not in known:
        return _unknown(
            "dataset",
            name,
            known,
            f"A dataset of your own needs builder_module, or its prepared files in {root}.",
        )
    try:
        code = tfds.builder_cls(name)
    except tfds.core.DatasetNotFoundError:
        code = None
    configs = dict(code.builder_configs) if code else {}
    prepared = _subdirectories(root / name)
    known = [*configs, *(each for each in prepared if not tfds.core.Version.is_valid(each))]
    if config and config not in known:
        return _unknown(f"config of {name}:", config, known)
    coded = [code.VERSION, *code.SUPPORTED_VERSIONS] if code else []
    if config in configs and configs[config].version:
        coded = [configs[config].version, *configs[config].supported_versions]
    prepared = _subdirectories(root / name / config) if config else prepared
    known = [*map(str, coded), *filter(tfds.core.Version.is_valid, prepared)]
    if version and not any(tfds.core.Version(each).match(version) for each in known):
        return _unknown(f"version of {name}:", version, known)
    return None


def _subdirectories(path: Any) -> list[str]:
    return [child.name for child in path.iterdir() if child.is_dir()] if path.is_dir() else []


def _unknown(what: str, found: str, known: Iterable[str], advice: str = "") -> ValueError:
    names = sorted(set(known))
    near = difflib.get_close_matches(found, names)
    hint = f" Near names: {', '.join(near)}." if near else ""
    if not near and len(names) <= 10:
        hint = f" Known: {', '.join(names)}."
    return ValueError(f"Unknown {what} {found!r}.{hint} {advice}".rstrip())


def _prepare(builder: tfds.core.DatasetBuilder, root: Any, builder_module: str | None) -> None:
    """Downloads and prepares a dataset, with TFDS's progress bar."""
    if builder.data_path.exists():
        raise FileNotFoundError(
            f"{builder.data_dir} holds no complete dataset: dataset_info.json or features.json is "
            "missing. Remove the directory and run again, or copy it again."
        )
    unreachable = _unreachable_hosts(builder, root)
    if unreachable:
        cause = f"no answer from {', '.join(unreachable)}"
        raise FileNotFoundError(_how_to_prepare(builder, root, builder_module, cause))
    try:
        builder.download_and_prepare()
    except (OSError, tfds.download.DownloadError) as error:
        cause = str(error)
        raise FileNotFoundError(_how_to_prepare(builder, root, builder_module, cause)) from error


def _how_to_prepare(
    builder: tfds.core.DatasetBuilder, root: Any, builder_module: str | None, cause: str
) -> str:
    name = builder.get_reference().tfds_name(include_version=False)
    imports = f" --imports={builder_module}" if builder_module else ""
    return (
        f"Dataset {name} is not prepared in {root} and cannot be prepared here: {cause}. On a "
        f"machine with network run `tfds build {name}{imports} --data_dir=DIR`, then copy "
        f"DIR/{builder.data_path.relative_to(root)} to {builder.data_dir}, or set TFDS_DATA_DIR "
        "or data_dir to the directory that has it."
    )


def _unreachable_hosts(builder: tfds.core.DatasetBuilder, root: Any) -> list[str]:
    """Lists the hosts that a download needs if none of them answers.

    TFDS itself tries each for minutes. Nothing is asked if the dataset needs no download, or has
    been downloaded before.
    """
    infos = (root / "downloads").glob("*.INFO")
    if any(f'"{builder.name}"' in info.read_text() for info in infos):
        return []
    needed = (url for url in builder.url_infos or {} if url.startswith("http"))
    urls = {urllib.parse.urlsplit(url).netloc: url for url in needed}
    return [] if any(map(_answers, urls.values())) else sorted(urls)


def _answers(url: str) -> bool:
    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _text_and_label(
    name: str, info: tfds.core.DatasetInfo, text: str | None, label: str | None
) -> tuple[str, str]:
    if not isinstance(info.features, tfds.features.FeaturesDict):
        raise ValueError(f"Dataset {name}: expected features by name, found {info.features!r}.")
    keys = info.supervised_keys or ()
    text = text or (keys[0] if keys and isinstance(keys[0], str) else None)
    label = label or (keys[1] if keys and isinstance(keys[1], str) else None)
    if text is None or label is None:
        raise ValueError(
            f"Dataset {name}: its supervised_keys are {info.supervised_keys}, which name no text "
            "and label. Name them as text_feature and label_feature; its features are "
            f"{_described(info.features)}."
        )
    for feature in (text, label):
        if feature not in info.features:
            raise _unknown(f"feature of {name}:", feature, info.features.keys())
    if not _is_scalar(info.features[text], np.object_):
        raise ValueError(
            f"Dataset {name}: the feature {text!r} is {info.features[text]!r}; expected a text "
            f"(Text or a string scalar). Its features are {_described(info.features)}."
        )
    if not _is_scalar(info.features[label], np.integer):
        raise ValueError(
            f"Dataset {name}: the feature {label!r} is {info.features[label]!r}; expected a label "
            f"(ClassLabel or an integer scalar). Its features are {_described(info.features)}."
        )
    return text, label


def _described(features: tfds.features.FeaturesDict) -> str:
    return ", ".join(f"{key!r} ({type(feature).__name__})" for key, feature in features.items())


def _is_scalar(feature: Any, kind: type) -> bool:
    info = feature.get_tensor_info()
    return (
        isinstance(info, tfds.features.TensorInfo)
        and info.shape == ()
        and np.issubdtype(info.np_dtype, kind)
        # Not compressed in the records.
        and feature.get_serialized_info() == info
    )


def _class_names(label: Any) -> tuple[str, ...]:
    named = isinstance(label, tfds.features.ClassLabel) and label.num_classes
    return tuple(label.names) if named else ()


def _ranges(
    name: str, info: tfds.core.DatasetInfo, split: str, expression: str
) -> tuple[RecordRange, ...]:
    for part in expression.split("+"):
        source = part.split("[")[0].strip()
        if source != "all" and source not in info.splits:
            raise _unknown(f"split of {name} in {split}={expression!r}:", source, info.splits)
    try:
        instructions = info.splits[expression].file_instructions
    except (NotImplementedError, ValueError) as error:
        raise ValueError(f"Dataset {name}: split {split}={expression!r}: {error}") from error
    if not sum(part.take for part in instructions):
        sizes = {source: part.num_examples for source, part in info.splits.items()}
        raise ValueError(
            f"Dataset {name}: split {split}={expression!r} has no examples; expected at least "
            f"one. The dataset has {sizes}."
        )
    for part in instructions:
        if not tfds.core.Path(part.filename).exists():
            raise FileNotFoundError(
                f"Dataset {name}: {part.filename} is missing, although dataset_info.json beside "
                "it lists it. Prepare or copy the dataset again."
            )
    return tuple(
        RecordRange(part.filename, part.skip, part.skip + part.take) for part in instructions
    )
