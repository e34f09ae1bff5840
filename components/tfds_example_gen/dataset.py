"""Resolves a TFDS dataset: checks its features and splits, and fingerprints its examples."""

import dataclasses
import difflib
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from components.text.features import LABEL, TEXT
from components.tfds_example_gen import prepared
from components.tfds_example_gen.records import READABLE_FORMATS, ExampleReader, RecordRange

# Part of the fingerprint: raise it when the same records become other examples than before.
CONVERTER_VERSION = 2


@dataclasses.dataclass(frozen=True)
class TextDataset:
    """The requested splits of a prepared dataset.

    Attributes:
        name: The pinned name, such as 'imdb_reviews/plain_text:1.0.0'.
        version: The version in it, such as '1.0.0'.
        features: All features of the dataset, as TFDS describes them in JSON.
        class_names: The names of the classes 0, 1, …; empty if the label is a plain integer.
        readers: For each split, the reader of its records.
        ranges: For each split, its records.
    """

    name: str
    version: str
    features: dict[str, Any]
    class_names: tuple[str, ...]
    readers: dict[str, ExampleReader]
    ranges: dict[str, tuple[RecordRange, ...]]

    @property
    def examples_per_split(self) -> dict[str, int]:
        """The number of examples in each split."""
        return {
            split: sum(part.stop - part.start for part in parts)
            for split, parts in self.ranges.items()
        }

    def fingerprint(self) -> str:
        """Digests the examples.

        Every example is read, because a corrected label changes neither the number nor the size of
        the files. Path, age and number of the files do not count.

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
                split: reader.digest(self.ranges[split]) for split, reader in self.readers.items()
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
    allow_overlap: bool = False,
) -> TextDataset:
    """Finds or prepares a dataset and checks its features and splits.

    Args:
        dataset: 'name', 'name/config' or 'name/config:version'; see `prepared.load`.
        splits: A TFDS split expression, such as 'train[:90%]', for each name of a split.
        text_feature: Name of the text; None takes the input of the dataset's supervised_keys.
        label_feature: Name of the label; None takes the target of the dataset's supervised_keys.
        data_dir: Directory of prepared datasets; see `prepared.load`.
        builder_module: Module whose import registers the dataset; see `prepared.load`.
        allow_overlap: Whether two splits may share examples.

    Returns:
        The dataset. Its files exist; its records have not been read yet.

    Raises:
        ValueError: The dataset, a feature or a split is unknown or unfit, or two splits overlap;
            the message says what was found and names close matches.
        FileNotFoundError: The dataset is not prepared and cannot be, or one of its files is
            missing.
    """
    builder = prepared.load(dataset, data_dir, builder_module)
    info = builder.info
    name = builder.get_reference().tfds_name()
    file_format = info.file_format or tfds.core.FileFormat.TFRECORD
    if file_format not in READABLE_FORMATS:
        raise ValueError(
            f"Dataset {name}: its files are {file_format.value}; expected "
            f"{' or '.join(known.value for known in READABLE_FORMATS)}. Prepare it again with "
            "`tfds build --file_format=tfrecord`."
        )
    text, label = _text_and_label(name, info, text_feature, label_feature)
    ranges = {split: _ranges(name, info, split, expression) for split, expression in splits.items()}
    if not allow_overlap:
        _require_disjoint(name, splits, ranges)
    return TextDataset(
        name=name,
        version=str(builder.version),
        features=info.features.to_json(),
        class_names=_class_names(dict(_flat(info.features))[label]),
        readers={
            split: ExampleReader(
                split=expression,
                file_format=file_format,
                text_feature=text,
                label_feature=label,
                verbatim=(text, label) == (TEXT, LABEL) and len(info.features) == 2,
            )
            for split, expression in splits.items()
        },
        ranges=ranges,
    )


def _text_and_label(
    name: str, info: tfds.core.DatasetInfo, text: str | None, label: str | None
) -> tuple[str, str]:
    if not isinstance(info.features, tfds.features.FeaturesDict):
        raise ValueError(f"Dataset {name}: expected named features, found {info.features!r}.")
    features = dict(_flat(info.features))
    described = ", ".join(f"{key!r} ({type(it).__name__})" for key, it in features.items())
    supervised_text, supervised_label, *_ = info.supervised_keys or (None, None)
    text, label = text or supervised_text, label or supervised_label
    if not isinstance(text, str) or not isinstance(label, str):  # Keys may be nested.
        raise ValueError(
            f"Dataset {name}: its supervised_keys are {info.supervised_keys}, which do not name "
            f"the text and the label. Set text_feature and label_feature; its features are "
            f"{described}."
        )
    for feature, kind, expected in (
        (text, np.object_, "a text (Text or a string scalar)"),
        (label, np.integer, "a label (ClassLabel or an integer scalar)"),
    ):
        if feature not in features:
            raise _unknown(f"feature of {name}:", feature, features)
        if not _is_scalar(features[feature], kind):
            raise ValueError(
                f"Dataset {name}: the feature {feature!r} is {features[feature]!r}; expected "
                f"{expected}. Its features are {described}."
            )
    return text, label


def _flat(features: tfds.features.FeaturesDict, parent: str = "") -> Iterator[tuple[str, Any]]:
    """Yields features by the names that they have in TFDS's records, such as 'review/text'."""
    # Sorted, because TFDS reads the features in another order each time.
    for name, feature in sorted(features.items()):
        if isinstance(feature, tfds.features.FeaturesDict):
            yield from _flat(feature, f"{parent}{name}/")
        else:
            yield f"{parent}{name}", feature


def _is_scalar(feature: Any, kind: type) -> bool:
    info = feature.get_tensor_info()
    return (
        isinstance(info, tfds.features.TensorInfo)
        and info.shape == ()
        and np.issubdtype(info.np_dtype, kind)
        # A feature that TFDS stores compressed has another form in the records.
        and feature.get_serialized_info() == info
    )


def _class_names(label: Any) -> tuple[str, ...]:
    named = isinstance(label, tfds.features.ClassLabel) and label.num_classes
    return tuple(label.names) if named else ()


def _ranges(
    name: str, info: tfds.core.DatasetInfo, split: str, expression: str
) -> tuple[RecordRange, ...]:
    """Returns the records of a TFDS split expression."""
    for part in expression.split("+"):
        source = part.split("[")[0].strip()
        if source != "all" and source not in info.splits:
            raise _unknown(f"split of {name} in {split}={expression!r}:", source, info.splits)
    try:
        instructions = info.splits[expression].file_instructions
    except (NotImplementedError, ValueError) as error:
        raise ValueError(f"Dataset {name}: split {split}={expression!r}: {error}") from error
    # TFDS gives a slice that ends before it begins, such as train[90%:10%], a negative size.
    if not instructions or any(part.take < 1 for part in instructions):
        sizes = {source: part.num_examples for source, part in info.splits.items()}
        raise ValueError(
            f"Dataset {name}: split {split}={expression!r} has a slice without examples; expected "
            f"slices of at least one example. The dataset has {sizes}."
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


def _require_disjoint(
    name: str, splits: Mapping[str, str], ranges: Mapping[str, Iterable[RecordRange]]
) -> None:
    """Refuses splits that share records: a model would be evaluated on what it was trained on."""
    for first, second in itertools.combinations(splits, 2):
        shared = sum(
            max(0, min(one.stop, other.stop) - max(one.start, other.start))
            for one, other in itertools.product(ranges[first], ranges[second])
            if one.file == other.file
        )
        if shared:
            raise ValueError(
                f"Dataset {name}: the splits {first}={splits[first]!r} and "
                f"{second}={splits[second]!r} share {shared} examples; expected splits without "
                "common examples. Change them, or set allow_overlap."
            )


def _unknown(what: str, found: str, known: Iterable[str]) -> ValueError:
    """Returns an error that names close matches, or all known names if none is close."""
    near = difflib.get_close_matches(found, known)
    hint = f"Near names: {', '.join(near)}" if near else f"Known: {', '.join(sorted(known))}"
    return ValueError(f"Unknown {what} {found!r}. {hint}.")
