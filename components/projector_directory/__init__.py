"""The directory format of TensorBoard's Embedding Projector: written, read and verified."""
