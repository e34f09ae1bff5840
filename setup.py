"""The package, for tools that want a setup.py, such as Beam's ``--setup_file``."""

from setuptools import setup

setup()
