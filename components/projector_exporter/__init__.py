"""Exports the embedding of a trained model for TensorBoard's Embedding Projector."""
