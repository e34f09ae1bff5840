"""Distribution strategies: one device, the GPUs of one machine, several machines, a TPU."""

import logging
import math
import os

import keras
import tensorflow as tf

_LOGGER = logging.getLogger(__name__)


def create_strategy(name: str) -> tuple[str, tf.distribute.Strategy]:
    """Creates a distribution strategy.

    Args:
        name: See `TrainingOptions.strategy`. 'auto' takes the first that applies: 'tpu' if a TPU is
            attached or TPU_NAME is set, 'mirrored' if there is more than one GPU, else
            'one_device'. 'multi_worker_mirrored' joins the cluster of the environment variable
            TF_CONFIG, in a process that has not used TensorFlow before.

    Returns:
        The name of the strategy, never 'auto', and the strategy.

    Raises:
        ValueError: There are no devices for 'mirrored'.
    """
    if name == "auto":
        name = _detect()
    if name == "tpu":
        return name, _connect_tpu()
    if name == "multi_worker_mirrored":
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        _LOGGER.info("Joined a cluster of %d replicas.", strategy.num_replicas_in_sync)
        return name, strategy
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
    workers = resolver.cluster_spec().num_tasks(resolver.task_type)
    count = strategy.num_replicas_in_sync // workers
    return range(resolver.task_id * count, (resolver.task_id + 1) * count)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tells whether this process is the one that writes the result."""
    return local_replicas(strategy).start == 0


def take_chiefs_weights(model: keras.Model, strategy: tf.distribute.Strategy) -> None:
    """Gives the models of all workers the weights of the chief's model.

    Workers may compute different initial weights: OpenBLAS's kernels for Haswell and for Skylake
    give co-occurrence starts that differ by 2e-4.

    Args:
        model: Made in the scope of the strategy.
        strategy: Where to train.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return

    def of_first_replica(weights: list[tf.Tensor]) -> list[tf.Tensor]:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return [tf.where(replica == 0, values, tf.zeros_like(values)) for values in weights]

    @tf.function
    def of_chief(weights: list[tf.Tensor]) -> list[tf.Tensor]:
        taken = strategy.run(of_first_replica, args=(weights,))
        return [strategy.reduce("SUM", values, axis=None) for values in taken]

    weights = of_chief([tf.constant(values) for values in model.get_weights()])
    model.set_weights([values.numpy() for values in weights])


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
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one_device"


def _connect_tpu() -> tf.distribute.Strategy:
    # A TPU VM sees its own chips as 'local'; otherwise the resolver reads TPU_NAME.
    local = tf.config.list_physical_devices("TPU")
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect("local" if local else None)
    return tf.distribute.TPUStrategy(resolver)
