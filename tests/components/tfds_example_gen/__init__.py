"""Tests of components.tfds_example_gen."""
