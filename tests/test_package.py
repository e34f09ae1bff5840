"""Tests the package that Beam's --setup_file and pip build."""

import pathlib
import subprocess
import sys
import tarfile

PROJECT = pathlib.Path(__file__).parents[1]


def test_the_source_distribution_holds_code_configurations_and_schemas(
    tmp_path: pathlib.Path,
) -> None:
    command = ["setup.py", "-q", "egg_info", "-e", str(tmp_path), "sdist", "-d", str(tmp_path)]
    subprocess.run([sys.executable, *command], cwd=PROJECT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    expected = {
        "components/projector_exporter/page/map.css",
        "components/projector_exporter/page/map.html",
        "components/projector_exporter/page/map.js",
        "components/text/__init__.py",
        "pipeline_def/configs/sample.yaml",
        "pipeline_def/sample_reviews/words.yaml",
        "schemas/imdb_reviews.pbtxt",
        "setup.py",
        "pyproject.toml",
    }
    assert expected <= names
