"""Reads, compares and lays out the vectors of an embedding."""
