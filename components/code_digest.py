"""A digest of source code, for the cache key of a component.

TFX's cache sees a component's inputs and execution properties, not its code: after an edit it
would serve what the old code made. A component that records this digest as an execution property
runs again instead.
"""

import hashlib
import importlib.util
import pathlib


def source_digest(*modules: str) -> str:
    """Digests the sources of modules.

    Args:
        *modules: Dotted module names; a package stands for every ``.py`` file below it.

    Returns:
        16 hexadecimal digits, the same wherever the same sources are installed.

    Raises:
        ModuleNotFoundError: A name is not a module with a source file.
    """
    digest = hashlib.sha256()
    for name in modules:
        for path in _sources(name):
            digest.update(f"{name}\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(name: str) -> list[pathlib.Path]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module with a source file is named {name!r}.")
    path = pathlib.Path(spec.origin)
    return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
