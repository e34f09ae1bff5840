"""Finds a prepared TFDS dataset, or downloads and prepares it."""

import difflib
import importlib
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import tensorflow_datasets as tfds
from google.protobuf import json_format

_NAME = re.compile(
    r"(?P<name>[a-z0-9_]+)(/(?P<config>[\w.+-]+))?(:(?P<version>(\d+|\*)(\.(\d+|\*)){2}))?"
)
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/+")
# TFDS's words for a field, a feature or a file format that it does not know.
_OF_NEWER_TFDS = re.compile("no field named|Unrecognized FeatureConnector|not a valid FileFormat")
# What TFDS raises for a directory that is incomplete, damaged or not of this dataset.
_NOT_LOADABLE = (AssertionError, OSError, TypeError, ValueError, json_format.ParseError)
_PROBE_SECONDS = 10


def load(
    dataset: str, data_dir: str | None = None, builder_module: str | None = None
) -> tfds.core.DatasetBuilder:
    """Loads a dataset from its prepared files, after preparing it if there are none.

    Args:
        dataset: 'name', 'name/config' or 'name/config:version'. Without a version, the newest
            prepared one or, if none is prepared, the one that the dataset's code makes.
        data_dir: Directory of prepared datasets, or its gs:// URI; None means the environment
            variable TFDS_DATA_DIR, or else ~/tensorflow_datasets.
        builder_module: Dotted module whose import registers the dataset; None for a dataset of
            TFDS, or one that is prepared.

    Returns:
        A builder that reads the prepared files and does not need the dataset's code.

    Raises:
        ValueError: The dataset is unknown, its files cannot be loaded, its code gives no example of
            a split, or `data_dir` is a URI that TensorFlow cannot read.
        FileNotFoundError: The dataset is not prepared and cannot be prepared here.
    """
    match = _NAME.fullmatch(dataset)
    if not match:
        raise ValueError(
            f"Dataset {dataset!r} is not a name of a TFDS dataset; expected name, name/config or "
            "name/config:1.0.0, such as 'imdb_reviews/plain_text:1.0.0'."
        )
    if builder_module:
        _import(builder_module)
    root = data_root(data_dir)
    # Given a version, even a wildcard, TFDS looks for prepared files first and takes the newest.
    requested = dataset if match["version"] else f"{dataset}:*.*.*"
    try:
        builder = tfds.builder(requested, data_dir=os.fspath(root))
    except tfds.core.DatasetNotFoundError:
        raise _not_found(dataset, match["name"], root) from None
    except _NOT_LOADABLE as error:
        raise _not_loadable(dataset, root / match["name"], error) from error
    if not builder.is_prepared():
        _prepare(builder, root, builder_module)
    try:
        return tfds.builder_from_directory(builder.data_dir)
    except _NOT_LOADABLE as error:
        raise _not_loadable(dataset, root / match["name"], error) from error


def data_root(data_dir: str | None) -> Any:
    """Returns the directory of prepared datasets, absolute because Beam workers read from it.

    Args:
        data_dir: As of `load`.

    Raises:
        ValueError: It is a URI that TensorFlow cannot read.
    """
    chosen = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    uri = _URI.match(chosen)
    if not uri:
        return tfds.core.Path(chosen).expanduser().resolve()
    if uri[0] != "gs://":  # TensorFlow has a file system for no other scheme.
        raise ValueError(
            f"The data directory {chosen!r} is a URI of the scheme {uri[1]!r}; expected a gs:// "
            "URI or a directory of this machine."
        )
    return tfds.core.Path(chosen)


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"builder_module {module!r} cannot be imported ({error}); expected a dotted module "
            "that defines a tfds.core.DatasetBuilder and is on the Python path."
        ) from error


def _not_found(dataset: str, name: str, root: Any) -> ValueError:
    """Returns an error that names close matches; TFDS itself would list its 1,300 datasets."""
    if (root / name).is_dir():
        prepared = ", ".join(sorted(child.name for child in (root / name).iterdir()))
        return ValueError(
            f"Dataset {dataset!r} is not prepared: {root / name} has {prepared or 'nothing'}. To "
            "prepare it, name the module of its code as builder_module."
        )
    stored = [child.name for child in root.iterdir()] if root.is_dir() else []
    known = [*tfds.list_builders(with_community_datasets=False), *stored]
    near = ", ".join(difflib.get_close_matches(name, known)) or "none"
    return ValueError(
        f"Unknown dataset {name!r}. Near names: {near}. A dataset of your own needs "
        f"builder_module, or its prepared files in {root}."
    )


def _not_loadable(dataset: str, directory: Any, error: Exception) -> ValueError:
    # The dataset's code refuses an unknown config or version, and names those that it knows.
    _, of_code, cause = str(error).rpartition('}": ')
    if of_code:
        return ValueError(f"Dataset {dataset!r} cannot be loaded: {' '.join(cause.split())}")
    if not isinstance(error, OSError) and (damage := _damaged_file(directory)):
        return ValueError(
            f"Dataset {dataset!r} cannot be loaded: {damage}. Remove the directory of this file "
            "and run again, or copy it again."
        )
    cause = cause.splitlines()[0]
    if _OF_NEWER_TFDS.search(cause):
        return ValueError(
            f"Dataset {dataset!r} in {directory} was prepared by a newer TFDS than the installed "
            f"{tfds.__version__}: {cause} Upgrade tensorflow-datasets, or prepare the dataset "
            "again."
        )
    return ValueError(
        f"Dataset {dataset!r} in {directory} cannot be loaded: {cause} If its directory there is "
        "incomplete, remove it and run again, or copy it again."
    )


def _damaged_file(directory: Any) -> str | None:
    """Returns which JSON file of a prepared dataset is damaged, and how; None if all are whole."""
    for place in ("*/*.json", "*/*/*.json"):  # Of a version, or of a version of a config.
        for path in sorted(directory.glob(place)):
            try:
                content = json.loads(path.read_text())
            except (OSError, ValueError) as error:
                return f"{path} is damaged: {error}"
            if not content or not isinstance(content, dict):
                return f"{path} is damaged: it holds {content!r:.40}, expected a JSON object"
    return None


def _prepare(builder: tfds.core.DatasetBuilder, root: Any, builder_module: str | None) -> None:
    """Downloads and prepares a dataset; TFDS shows a progress bar."""
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
        if builder.data_path.exists():  # Another run was faster: TFDS renames a complete directory.
            return
        message = _how_to_prepare(builder, root, builder_module, str(error))
        raise FileNotFoundError(message) from error
    except AssertionError as error:  # TFDS's "No examples were yielded."
        raise ValueError(
            f"Dataset {builder.name}: a split is empty ({error}); expected at least one example of "
            "each split from the dataset's code."
        ) from error


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
    """Returns the hosts of a download if none of them answers.

    TFDS itself tries a dead host ten times, which takes minutes. No host is probed if the dataset
    needs no download or has been downloaded before.
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
