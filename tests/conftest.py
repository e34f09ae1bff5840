from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.

# isort: split
from pipeline_def import workers

workers.use_python_runner()
