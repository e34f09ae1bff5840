"""Tests every README: its commands, variables, configurations, links and snippets."""

import importlib.util
import logging
import pathlib
import re
import runpy
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from pipeline_def import config

if TYPE_CHECKING:
    from tests.pipelines import Pipeline, Run

PROJECT = pathlib.Path(__file__).parents[1]
README = PROJECT / "README.md"
DOCUMENTS = [
    path
    for pattern in (
        "*.md",
        "docs/*.md",
        "benchmarks/*.md",
        "components/**/*.md",
        "pipeline_def/**/*.md",
    )
    for path in sorted(PROJECT.glob(pattern))
]
MAKEFILE = (PROJECT / "Makefile").read_text()
FENCED = r"^```(\w*)\n(.*?)^```$"
LINK = r"\]\(([^)\s]+)\)"
MAKE = r"(?:sudo |[A-Z_]+=\S+ )*make((?: [A-Z_]+=\S+| [a-z-]+)+)"
MODULE = r"\bpython -m ([\w.]+)(.*)"
VARIABLE = r"\b(PIPELINE_\w+)=([^\s`]+)"
SETTING = r"`([a-z]\w*: \{?\w.*?)`"
PLACEHOLDERS = {"ag_news.yaml", "reviews.yaml"}

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(PROJECT)) for path in DOCUMENTS]
)


def test_the_readme_has_one_of_each_kind() -> None:
    # Without one, a test below would pass because it finds nothing to test.
    text = README.read_text()
    targets = [target for target in re.findall(LINK, text) if not target.startswith("https://")]
    assert any("#" in target for target in targets)
    assert any("…" not in setting for setting in re.findall(SETTING, text))
    assert _blocks(README, "yaml")
    commands = set(_commands(README))
    in_blocks = set("\n".join(_blocks(README, "", "shell")).splitlines())
    for lines in (commands & in_blocks, commands - in_blocks):
        assert any(re.match(MAKE, line) for line in lines)
        assert any(re.search(MODULE, line) for line in lines)
        assert any(re.search(VARIABLE, line) for line in lines)


@each_document
def test_links_lead_somewhere(document: pathlib.Path) -> None:
    for target in re.findall(LINK, document.read_text()):
        if target.startswith("https://"):
            continue
        file, _, heading = target.partition("#")
        path = document.parent / file if file else document
        assert path.exists(), target
        assert not heading or heading in _anchors(path), target


@each_document
def test_make_has_the_targets_and_variables(document: pathlib.Path) -> None:
    for line in _commands(document):
        found = re.match(MAKE, line)
        for word in found[1].split() if found else ():
            name, is_variable, _ = word.partition("=")
            pattern = rf"\$\({name}\)" if is_variable else rf"^{name}:"
            assert re.search(pattern, MAKEFILE, re.MULTILINE), line


@each_document
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_modules_have_the_commands_and_options(
    document: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in _commands(document):
        if not (found := re.search(MODULE, line)):
            continue
        module, rest = found.groups()
        assert importlib.util.find_spec(module), line
        for command in re.findall(r"^ ([a-z][a-z|-]+)", rest)[:1] or [""]:
            for word in command.split("|"):
                monkeypatch.setattr(sys, "argv", [module, *word.split(), "--help"])
                with pytest.raises(SystemExit) as ended:
                    runpy.run_module(module, run_name="__main__")
                logging.disable(logging.NOTSET)  # The module may have disabled logging.
                shown = capsys.readouterr().out + str(ended.value.code)
                assert word in shown, line
                for option in re.findall(r" (--[a-z-]+)", rest):
                    assert option in shown, line


@each_document
def test_variables_and_files_configure_the_pipeline(document: pathlib.Path) -> None:
    for line in _commands(document):
        given = dict(re.findall(VARIABLE, line))
        if given and PLACEHOLDERS.isdisjoint(given.values()):
            config.load(given)


@each_document
def test_configurations_are_valid(document: pathlib.Path, tmp_path: pathlib.Path) -> None:
    quoted = re.findall(SETTING, document.read_text())
    for text in [*_blocks(document, "yaml"), *(text for text in quoted if "…" not in text)]:
        sample = yaml.safe_load(config.SAMPLE.read_text())
        file = tmp_path / "configuration.yaml"
        file.write_text(yaml.safe_dump({**sample, **yaml.safe_load(text)}))
        config.load({"PIPELINE_CONFIG": str(file)})


@pytest.mark.parametrize("component", ["tfds_example_gen", "embedding_trainer"])
def test_the_snippets_of_components_run(component: str) -> None:
    from tfx import v1 as tfx  # Not above: the other tests do not wait for TFX.

    example_gen = tfx.components.ImportExampleGen(input_base="examples")
    transform = tfx.components.Transform(
        examples=example_gen.outputs["examples"],
        schema=tfx.components.ImportSchemaGen(schema_file="schema.pbtxt").outputs["schema"],
        preprocessing_fn="components.text.preprocessing_fn",
    )
    names = {**vars(tfx.components), "example_gen": example_gen, "transform": transform}
    snippets = _blocks(PROJECT / "components" / component / "README.md", "python")
    assert snippets
    for snippet in snippets:
        exec(snippet, names)


@pytest.mark.slow
def test_the_pushed_model_answers(
    sample: "Pipeline",
    sample_run: "Run",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sample_run.code == 0, sample_run.printed
    monkeypatch.chdir(sample.directory)
    (snippet,) = _blocks(README, "python")
    exec(snippet, {})
    assert "shape=(1, 2), dtype=float32" in capsys.readouterr().out


def _anchors(document: pathlib.Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def _blocks(document: pathlib.Path, *languages: str) -> list[str]:
    fenced = re.findall(FENCED, document.read_text(), re.DOTALL | re.MULTILINE)
    return [block for language, block in fenced if language in languages]


def _commands(document: pathlib.Path) -> list[str]:
    """Returns the lines of shell blocks and blocks without a language, and all inline code."""
    text = re.sub(FENCED, "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    blocks = _blocks(document, "", "shell")
    return [*"\n".join(blocks).splitlines(), *re.findall(r"`([^`]+)`", text)]
