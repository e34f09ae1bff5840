"""TfdsExampleGen: labeled text of a TensorFlow Datasets dataset as a TFX Examples artifact."""
