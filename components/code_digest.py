"""A digest of source code, for the cache key of a component.

TFX's cache sees a component's inputs and execution properties, not its code: after an edit it
would serve what the old code made. A component that records this digest as an execution property
runs again instead.
"""

import ast
import hashlib
import importlib.util
import pathlib
from collections.abc import Iterator

# Files of a package that its modules read, such as a page's script.
_READ = (".css", ".html", ".js")


def source_digest(module: str) -> str:
    """Returns a digest of a module and of all that it imports of its own top-level package.

    Style sheets, pages and scripts beside any of these modules count, too.

    Imports are found in the sources, which are not executed; they must be absolute.

    Args:
        module: Dotted name of the module that does the work, such as an executor's.

    Returns:
        16 hexadecimal digits, the same wherever the same sources are installed.

    Raises:
        ModuleNotFoundError: There is no such module with a source file.
    """
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module with a source file is named {module!r}.")
    root = pathlib.Path(spec.origin).parents[1]
    digest = hashlib.sha256()
    modules = _closure(module, root)
    beside = {path for directory in {m.parent for m in modules} for path in directory.iterdir()}
    read = {path for path in beside if path.suffix in _READ}
    for path in sorted(modules | read):
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _closure(module: str, root: pathlib.Path) -> set[pathlib.Path]:
    first = _source(module, root)
    if first is None:
        raise ModuleNotFoundError(f"No module with a source file is named {module!r}.")
    found, waiting = set(), {first}
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= set(_imports(path, root)) - found
    return found


def _imports(path: pathlib.Path, root: pathlib.Path) -> Iterator[pathlib.Path]:
    package = path.relative_to(root).parts[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _sources(alias.name, root)
        elif isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{package}."):
            for alias in node.names:
                yield from _sources(f"{node.module}.{alias.name}", root)


def _sources(name: str, root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the files behind an imported name: a module, or something in one."""
    parent = _source(name.rpartition(".")[0], root)
    if module := _source(name, root):
        yield module
    elif parent and parent.name == "__init__.py":
        # The package may import the name lazily, from any of its modules.
        yield from parent.parent.rglob("*.py")
    elif parent:
        yield parent


def _source(name: str, root: pathlib.Path) -> pathlib.Path | None:
    path = root.joinpath(*name.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)
