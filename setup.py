"""Builds the package, for tools that need a setup.py, such as Beam's ``--setup_file``."""

from setuptools import setup

setup()
