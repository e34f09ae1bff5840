import pathlib
import subprocess
import sys

PROJECT = pathlib.Path(__file__).parents[2]

SCRIPT = """
import gc, os, sys
before = gc.get_threshold(), dict(os.environ)
import pipeline_def
assert (gc.get_threshold(), dict(os.environ)) == before, "a package changes the process"
from pipeline_def import startup
assert "tensorflow" not in sys.modules
print(gc.get_threshold()[0] > before[0][0], os.environ["TF_CPP_MIN_LOG_LEVEL"])
"""


def test_settings_are_made_by_the_one_module_that_says_so() -> None:
    for given, made in (({}, "3"), ({"TF_CPP_MIN_LOG_LEVEL": "0"}, "0")):
        command = [sys.executable, "-c", SCRIPT]
        ran = subprocess.run(command, cwd=PROJECT, env=given, capture_output=True, text=True)
        assert ran.stdout == f"True {made}\n", ran.stderr
