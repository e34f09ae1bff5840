"""TfdsExampleGen: labelled text of TensorFlow Datasets as a TFX Examples artifact."""
