"""Distribution strategies: one device, the GPUs of one machine, several machines, a TPU."""

import json
import math
import os

import tensorflow as tf


def create_strategy(name: str) -> tuple[str, tf.distribute.Strategy]:
    """Creates a distribution strategy.

    Call it before anything else in the process uses TensorFlow: a multi-worker cluster cannot be
    joined later.

    Args:
        name: See `TrainingOptions.strategy`. 'auto' takes the first that applies: 'tpu' if a TPU is
            attached or TPU_NAME is set, 'multi_worker_mirrored' if TF_CONFIG has more than one
            worker, 'mirrored' if there is more than one GPU, else 'one_device'.

    Returns:
        The name of the strategy, never 'auto', and the strategy.

    Raises:
        ValueError: There are no devices for 'mirrored', or TF_CONFIG is not valid, or missing for
            'multi_worker_mirrored'.
        RuntimeError: The process has used TensorFlow before it could join the cluster.
    """
    if name == "auto":
        name = _detect()
    if name == "tpu":
        return name, _connect_tpu()
    if name == "multi_worker_mirrored":
        return name, _join_workers()
    if name == "mirrored":
        return name, _mirror()
    gpu = tf.config.list_physical_devices("GPU")
    return name, tf.distribute.OneDeviceStrategy("/gpu:0" if gpu else "/cpu:0")


def scale_learning_rate(learning_rate: float, replicas: int) -> float:
    """Returns Adam's learning rate for a number of replicas: it grows with their square root.

    The batch size is given for one replica, so that k replicas take k times fewer steps an epoch.
    With adaptive gradients the square root of k makes up for that (Malladi et al. 2022, "On the
    SDEs and Scaling Rules for Adaptive Gradient Algorithms", arXiv:2205.10287); the linear rule of
    Goyal et al. 2017 holds for plain SGD.

    Args:
        learning_rate: The learning rate for one replica.
        replicas: The number of replicas of all workers.
    """
    return learning_rate * math.sqrt(replicas)


def describe_devices(strategy: tf.distribute.Strategy) -> str:
    """Returns how many devices of which kind train, such as '2 GPU (Tesla T4)'."""
    kind = strategy.extended.worker_devices[0].rpartition("device:")[2].partition(":")[0]
    described = f"{strategy.num_replicas_in_sync} {kind}"
    if kind != "GPU":
        return described
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return f"{described} ({details.get('device_name', 'unknown')})"


def local_replicas(strategy: tf.distribute.Strategy) -> range:
    """Returns which of all replicas run in this process."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or not resolver:
        return range(strategy.num_replicas_in_sync)
    cluster = resolver.cluster_spec().as_dict()
    chiefs, workers = (len(cluster.get(job, [])) for job in ("chief", "worker"))
    here = resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)
    count = strategy.num_replicas_in_sync // (chiefs + workers)
    return range(here * count, (here + 1) * count)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tells whether this process is the one that writes the result."""
    return local_replicas(strategy).start == 0


def wait_for_workers(strategy: tf.distribute.Strategy) -> None:
    """Returns when all workers have called it.

    To a worker that still writes, another one that has ended looks crashed.
    """
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):

        @tf.function
        def meet() -> tf.Tensor:
            return strategy.reduce("SUM", strategy.run(lambda: tf.constant(1.0)), axis=None)

        meet()


def _mirror() -> tf.distribute.Strategy:
    cpus = tf.config.list_logical_devices("CPU")  # Several only where a program has split them.
    if not tf.config.list_physical_devices("GPU") and len(cpus) < 2:
        raise ValueError(
            "strategy is 'mirrored', but TensorFlow finds no GPU here; expected at least one. "
            "Install TensorFlow with CUDA (pip install 'tensorflow[and-cuda]') and NVIDIA's "
            "driver, or choose the strategy 'auto' to train on the CPU."
        )
    return tf.distribute.MirroredStrategy()


def _detect() -> str:
    if tf.config.list_physical_devices("TPU") or os.environ.get("TPU_NAME"):
        return "tpu"
    if _count_workers() > 1:
        return "multi_worker_mirrored"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one_device"


def _count_workers() -> int:
    value = os.environ.get("TF_CONFIG") or "{}"
    try:
        cluster = json.loads(value).get("cluster", {})
        return sum(len(cluster.get(job, [])) for job in ("chief", "worker"))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"The environment variable TF_CONFIG is {value!r}; expected JSON like "
            '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}.'
        ) from error


def _join_workers() -> tf.distribute.Strategy:
    if not _count_workers():
        raise ValueError(
            "strategy is 'multi_worker_mirrored' but the environment variable TF_CONFIG names no "
            "workers; set it for every worker, or choose another strategy."
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise RuntimeError(
            "Cannot join the workers of TF_CONFIG, because this process has used TensorFlow "
            "before; run EmbeddingTrainer in a process of its own."
        ) from error


def _connect_tpu() -> tf.distribute.Strategy:
    # A TPU VM sees its own chips as 'local'; otherwise the resolver reads TPU_NAME.
    local = tf.config.list_physical_devices("TPU")
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect("local" if local else None)
    return tf.distribute.TPUStrategy(resolver)
