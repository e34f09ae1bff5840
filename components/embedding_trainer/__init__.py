"""A TFX component that trains a Keras text classifier round an embedding of its tokens."""
