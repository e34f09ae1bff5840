import os
import pathlib
import signal
import sys
import types

import pytest

import pipeline_def
from pipeline_def.__main__ import main


@pytest.fixture(autouse=True)
def output(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("PIPELINE__OUTPUT_DIR", str(tmp_path))
    return tmp_path


def export(output: pathlib.Path, run: str, time: int) -> pathlib.Path:
    pipeline, execution, name = run.split("/")
    outputs = output / pipeline / "artifacts" / "ProjectorExporter" / "projection"
    events = outputs / execution / name / "events.out.tfevents.1.host"
    events.parent.mkdir(parents=True)
    events.touch()
    os.utime(events, (time, time))
    return events.parent


def test_the_newest_projection_of_any_pipeline(
    output: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(output, "sample/9/sample-1", 998)
    export(output, "sample/10/sample-3", 999)
    newest = export(output, "imdb/7/imdb-2", 1000)
    newest.with_name(".imdb-4.unfinished-c0ffee").mkdir()
    export(output, "imdb/7.copy/imdb-2", 1001)
    main(["projection"])
    assert capsys.readouterr().out == f"{newest}\n"


def test_a_projection_made_after_the_clock_was_set_back_is_the_newest(
    output: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(output, "sample/9/sample-1", 2000)
    newest = export(output, "sample/10/sample-0", 1000)
    main(["projection"])
    assert capsys.readouterr().out == f"{newest}\n"


def test_without_a_projection_it_says_how_to_make_one(output: pathlib.Path) -> None:
    with pytest.raises(SystemExit, match=f"no projection in {output} yet: call make run first"):
        main(["projection"])


@pytest.mark.parametrize("arguments", [[], ["weather"], ["run", "fast"]])
def test_an_unknown_command_is_refused(arguments: list[str]) -> None:
    with pytest.raises(
        SystemExit, match=r"Usage: python -m pipeline_def run\|projection\|init FILE"
    ):
        main(arguments)


@pytest.mark.parametrize("command", ["run", "projection"])
def test_a_mistyped_field_is_refused_before_tfx_is_imported(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE__TRAINING__EPOCH", "3")
    monkeypatch.setitem(sys.modules, "tfx", None)  # Importing it fails.
    monkeypatch.delitem(sys.modules, "pipeline_def.run", raising=False)
    with pytest.raises(SystemExit, match=r"training\.epoch: .* Did you mean epochs\?"):
        main([command])


def test_signals_end_a_run_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = []

    def run(*_: object) -> None:
        handlers.append(signal.getsignal(signal.SIGTERM))

    monkeypatch.setattr(pipeline_def, "run", types.SimpleNamespace(main=run), raising=False)
    main(["run"])
    assert callable(handlers[0])
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_run_without_standard_output_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # Python does so when the shell closes it (`>&-`).
    with pytest.raises(SystemExit, match=r"Standard output is closed\. Redirect it"):
        main(["run"])
