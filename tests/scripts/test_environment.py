"""Tests the Python and the uv of `make`, on machines imitated by the programs that it calls."""

import dataclasses
import pathlib
import re
import shutil
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "environment.sh"
(UV_VERSION,) = re.findall(r"^UV_VERSION=(.+)", SCRIPT.read_text(), re.MULTILINE)
REAL_PROGRAMS = ("sh", "cut", "grep", "head", "id", "sort")


@dataclasses.dataclass
class Machine:
    """An imitated machine: a home, and a directory with the only programs on PATH."""

    directory: pathlib.Path

    def __post_init__(self) -> None:
        for name in ("bin", "home", "work"):
            (self.directory / name).mkdir()
        for name in REAL_PROGRAMS:
            program = shutil.which(name)
            assert program
            (self.directory / "bin" / name).symlink_to(program)
        self.add("getent", f"echo root:x:0:0:root:{self.directory}/home:/bin/sh")

    def add(self, name: str, script: str, directory: str = "bin") -> None:
        program = self.directory / directory / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def is_a(self, system: str, machine: str, glibc: str | None) -> None:
        self.add("uname", f'case "$1" in -s) echo {system} ;; -m) echo {machine} ;; esac')
        self.add("getconf", f"echo glibc {glibc}" if glibc else "exit 1")

    def has_uv(self, version: str, sync: str = "exit 0") -> None:
        """Adds programs that note their arguments in `noted`: uv, and the Pythons around it."""
        note = f'echo "${{0##*/}} $*" >>{self.directory}/noted'
        answers = f'--version) echo "uv {version}" ;; python) echo /python ;; sync) {sync} ;;'
        self.add("python3", note)
        self.add("python", note, "work/.tools/bin")
        self.add("uv", f'{note}\ncase "$1" in {answers} esac', "work/.tools/bin")

    def noted(self, start: str) -> list[list[str]]:
        """Returns the words of each noted call that starts so."""
        calls = (self.directory / "noted").read_text().splitlines()
        return [call.split() for call in calls if call.startswith(start)]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(SCRIPT), *arguments],
            cwd=self.directory / "work",
            env={"PATH": str(self.directory / "bin"), "HOME": str(self.directory / "home")},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("system", "glibc", "pythons", "chosen"),
    [
        (("Linux", "x86_64"), "2.41", ["3.10", "3.11", "3.12", "3.13"], "3.13"),
        (("Linux", "x86_64"), "2.39", ["3.11", "3.12"], "3.12"),
        (("Linux", "x86_64"), "2.41", ["3.10"], "3.10"),
        (("Linux", "x86_64"), "2.41", ["3.14"], "3.10"),
        (("Linux", "x86_64"), "2.36", ["3.11", "3.13"], "3.10"),
        (("Linux", "x86_64"), "2.4", ["3.13"], "3.10"),  # 2.4 is older than 2.39.
        (("Linux", "aarch64"), "2.41", ["3.13"], "3.10"),
        (("Darwin", "arm64"), None, ["3.11", "3.13"], "3.13"),
        (("Darwin", "x86_64"), None, ["3.13"], "3.10"),
    ],
)
def test_the_newest_installed_python_that_the_machine_can_have(
    machine: Machine, system: tuple[str, str], glibc: str | None, pythons: list[str], chosen: str
) -> None:
    machine.is_a(*system, glibc)
    for version in pythons:
        machine.add(f"python{version}", "exit 0")
    assert machine.run().stdout == f"{chosen}\n"


def test_a_python_on_path_that_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.is_a("Linux", "x86_64", "2.41")
    machine.add("python3.13", "echo 'pyenv: version not installed' >&2; exit 127")
    machine.add("python3.12", "exit 0")
    assert machine.run().stdout == "3.12\n"


def test_a_python_of_pyenv_need_not_be_on_path(machine: Machine) -> None:
    machine.is_a("Linux", "x86_64", "2.41")
    machine.add("python", "exit 0", "home/.pyenv/versions/3.12.4/bin")
    assert machine.run().stdout == "3.12\n"


@pytest.mark.parametrize(
    ("system", "glibc", "wanted", "said"),
    [
        (
            ("Linux", "x86_64"),
            "2.36",
            "3.13",
            "this is Python 3.13 on Linux x86_64 with glibc 2.36",
        ),
        (("Linux", "aarch64"), "2.41", "3.10", "this is Python 3.10 on Linux aarch64"),
        (("Darwin", "arm64"), None, "3.10", "this is Python 3.10 on Darwin arm64 (make"),
    ],
)
def test_a_python_that_tfx_is_not_built_for_is_refused(
    machine: Machine, system: tuple[str, str], glibc: str | None, wanted: str, said: str
) -> None:
    machine.is_a(*system, glibc)
    refused = machine.run(wanted)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "glibc 2.39 or newer" in refused.stderr
    assert list((machine.directory / "work").iterdir()) == []


@pytest.mark.parametrize("version", [UV_VERSION, "0.1.2"])
def test_the_lock_is_installed_unchanged_by_uv_in_its_one_version(
    machine: Machine, version: str
) -> None:
    machine.is_a("Linux", "x86_64", "2.41")
    machine.has_uv(version)
    done = machine.run("3.13")
    assert done.returncode == 0, done.stderr
    installed = [call[-1] for call in machine.noted("python -m pip install")]
    assert installed == ([] if version == UV_VERSION else [f"uv=={UV_VERSION}"])
    (sync,) = machine.noted("uv sync")
    assert "--frozen" in sync
    assert sync[-2:] == ["--python", "/python"]


def test_a_failed_installation_says_whether_a_compiler_is_missing(machine: Machine) -> None:
    machine.is_a("Linux", "x86_64", "2.41")
    machine.has_uv(UV_VERSION, sync="exit 2")
    refused = machine.run("3.13")
    assert refused.returncode == 1
    assert "there is no C++ compiler (Debian: g++)" in refused.stderr

    machine.add("g++", "exit 0")
    refused = machine.run("3.13")
    assert refused.returncode == 1
    assert "uv could not install the locked packages with Python 3.13" in refused.stderr
