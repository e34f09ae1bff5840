"""Mutation tests of the plain packages: `python -m tests.mutants [FILE ...] [--sample N]`."""
