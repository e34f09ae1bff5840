import ast
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

from tests.mutants import __main__ as command
from tests.mutants import mutations


def _mutants(source: str) -> list[str]:
    tree = ast.parse(textwrap.dedent(source))
    return [mutations.mutate(tree, edit) for edit in mutations.edits(tree)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", {"x = a <= b", "x = a >= b"}),
        ("x = a is b", {"x = a is not b"}),
        ("x = a and b", {"x = a or b", "x = a", "x = b"}),
        ("x = not a", {"x = a"}),
        ("x = a + b", {"x = a - b"}),
        ("x += a", {"x -= a", "x = a"}),
        ("x = 3", {"x = 4", "x = 2"}),
        ("x = True", {"x = False"}),
        ("x = 'a'", {"x = ''"}),
        ("x = 'a message'", set()),
        ("x = f'a{b}'", {"x = f'{b}'"}),
        ("x = a[1:]", {"x = a[:]", "x = a[2:]", "x = a[0:]"}),
        ("x = f(a, b=c)", {"x = f(b=c)", "x = f(a)"}),
        ("x = [a for a in b if a]", {"x = [a for a in b]"}),
        ("x = max(a)", {"x = min(a)", "x = max()"}),
        ("x = a if b else c", {"x = a", "x = c"}),
        ("x[a] = b", {"pass"}),
        ("f()", {"pass"}),
        ("if a:\n    b = c", {"if True:\n    b = c", "if False:\n    b = c"}),
        ("for a in b:\n    c = a", {"for a in ():\n    c = a"}),
        ("@a\ndef f():\n    return b", {"def f():\n    return b", "@a\ndef f():\n    return None"}),
    ],
)
def test_operators(source: str, expected: set[str]) -> None:
    assert {mutant.strip() for mutant in _mutants(source)} == expected


def test_texts_and_annotations_stay() -> None:
    source = '''
        """Docstring."""

        def f(a: list[1], b: "int") -> "str":
            """Docstring."""
            logging.info("Took %d s", 3)
            if b:
                raise ValueError(f"at most {2}")
            return Field(a, description="text")
    '''
    mutants = _mutants(source)
    changed = ["if True:", "if False:", "pass", "return None", "Field(description='text')"]
    assert len(mutants) == len(changed)
    for mutant, change in zip(mutants, changed, strict=True):
        assert change in mutant


def test_the_tree_is_left_as_it_was() -> None:
    source = "def f(a, b=1):\n    return [a < b, not b][0:1]"
    tree = ast.parse(source)
    for edit in mutations.edits(tree):
        assert mutations.mutate(tree, edit) != source
        assert ast.unparse(tree) == source


def test_what_the_tests_do_not_see_is_listed(tmp_path: pathlib.Path) -> None:
    tests = tmp_path / "tests" / "package"
    (tmp_path / "package").mkdir()
    tests.mkdir(parents=True)
    (tmp_path / "package" / "sums.py").write_text(
        "def add(a, b):\n    return a + b\n\ndef wait(done):\n    while not done:\n        pass\n"
    )
    (tests / "test_sums.py").write_text(
        "from package.sums import add, wait\n\n"
        "def test_add():\n    assert add(2, 0) == 2\n\ndef test_wait():\n    wait(True)\n"
    )
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    program = (
        "from tests.mutants import __main__ as command, warm; "
        "warm._LIBRARIES = (); command._GRACE = 1; command.main()"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program, "package/sums.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    row, survivor = printed[2:]
    assert row.startswith("| package/sums.py | 3 of 3 | 67% | 1 |")
    assert survivor == "    package/sums.py:2  a + b → a - b"


@pytest.mark.parametrize("file", command.plain_files(), ids=str)
def test_each_plain_module_has_tests(file: pathlib.Path) -> None:
    assert command.tests_of(file)
