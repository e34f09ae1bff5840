"""Where the training runs: on one device, several of one machine, several machines, a TPU."""

import json
import os

import tensorflow as tf


def create_strategy(name: str) -> tuple[str, tf.distribute.Strategy]:
    """Makes a distribution strategy.

    Call it before anything else in the process uses TensorFlow: a multi-worker cluster cannot be
    joined later.

    Args:
        name: See `TrainingOptions.strategy`. 'auto' takes the first that applies: 'tpu' if a TPU is
            attached or TPU_NAME is set, 'multi_worker_mirrored' if TF_CONFIG has more than one
            worker, 'mirrored' if there is more than one GPU, else 'one_device'.

    Returns:
        The name of the strategy, never 'auto', and the strategy.

    Raises:
        ValueError: TF_CONFIG is not valid, or missing for 'multi_worker_mirrored'.
        RuntimeError: The process has used TensorFlow before it could join the cluster.
    """
    if name == "auto":
        name = _detect()
    if name == "tpu":
        return name, _connect_tpu()
    if name == "multi_worker_mirrored":
        return name, _join_workers()
    if name == "mirrored":
        return name, tf.distribute.MirroredStrategy()
    gpu = tf.config.list_physical_devices("GPU")
    return name, tf.distribute.OneDeviceStrategy("/gpu:0" if gpu else "/cpu:0")


def scale_learning_rate(learning_rate: float, replicas: int) -> float:
    """Returns the learning rate for a number of replicas: it grows in proportion to them.

    The linear scaling rule of Goyal et al. 2017, "Accurate, Large Minibatch SGD: Training
    ImageNet in 1 Hour" (arXiv:1706.02677). The batch size is given for one replica, so that the
    global batch grows with the replicas and there are fewer steps an epoch; with k times the
    learning rate one step then goes about as far as k steps on one replica.

    Args:
        learning_rate: The learning rate for one replica.
        replicas: The number of replicas of all workers.
    """
    return learning_rate * replicas


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
