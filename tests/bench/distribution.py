"""Speed of several workers, of checkpoints and of a resume."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared.engine.distribution.cluster import Cluster
from shared.engine.distribution.launch import free_ports
from shared.samples.registry import write_sample
from shared.testing.app_test import newest_step
from shared.testing.processes import ROOT
from tests.bench.measure import Result

# A compute-bound training: few, small gradients for much arithmetic, and no batch normalisation,
# whose statistics every layer would exchange.
HEAVY = (
    "--preset", "test", "--backbone", "vgg11", "--no-small-stem", "--head", "pool",
    "--width", "32", "--image-size", "64", "--batch-size", "64", "--epochs", "3",
)  # fmt: skip


def start(arguments, core: int | None = None, cluster: Cluster | None = None) -> subprocess.Popen:
    """Starts the command line, pinned to one core, as one worker of a cluster."""
    environment = dict(os.environ)
    if cluster is not None:
        environment["TF_CONFIG"] = cluster.to_tf_config()
    pin = [] if core is None else ["taskset", "--cpu-list", str(core)]
    return subprocess.Popen(
        [*pin, sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> str:
    """Waits; returns what the process said."""
    out, _ = process.communicate(timeout=1800)
    if process.returncode:
        raise RuntimeError(out)
    return out


def best_rate(output: str) -> float:
    """Examples a second of the fastest epoch but the first, which compiles."""
    return max(float(rate) for rate in re.findall(r"(\d+) ex/s", output)[1:])


def scaling() -> Result:
    """Samples a second of two workers, each on its core, against one worker on one core."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    one, two = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sample("digits", folder / "digits")
        for turn in range(3):
            train = ["classify", "train", folder / "digits", *HEAVY, "--output"]
            one.append(best_rate(finish(start([*train, folder / f"one-{turn}"], cores[0]))))
            addresses = tuple(f"localhost:{port}" for port in free_ports(2))
            workers = [
                start([*train, folder / f"two-{turn}"], core, Cluster(addresses, index))
                for index, core in enumerate(cores)
            ]
            outputs = [finish(worker) for worker in workers]
            two.append(best_rate(outputs[0]))
    rates = statistics.median(two), statistics.median(one)
    return Result(
        "two workers on two cores / one on one", rates[0] / rates[1], floor=1.7,
        details=f"{rates[0]:.0f} and {rates[1]:.0f} images/s, VGG-11 of 32 channels, 64 pixels",
    )  # fmt: skip


def checkpoint_cost() -> Result:
    """Seconds that one checkpoint of ResNet-18 with AdamW takes, as a share of 30 seconds."""
    import keras

    from apps.vision.backbones.registry import build_backbone
    from shared.engine.training.checkpoint import CheckpointFolder, training_variables
    from shared.engine.training.train_step import prepare_optimizer

    inputs = keras.Input((64, 64, 3))
    features = build_backbone("resnet18", (64, 64, 3))(inputs)
    outputs = keras.layers.Dense(1000)(keras.layers.GlobalAveragePooling2D()(features))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.AdamW())
    prepare_optimizer(model)
    variables = training_variables(model)
    seconds = []
    with tempfile.TemporaryDirectory() as name:
        checkpoints = CheckpointFolder(Path(name))
        for step in range(7):
            started = time.perf_counter()
            path = checkpoints.save(step, variables, {"step": step})
            seconds.append(time.perf_counter() - started)
        megabytes = path.stat().st_size / 1e6
    return Result(
        "checkpoint every 30 s", statistics.median(seconds) / 30 * 100, "%", ceiling=3.0,
        details=f"{statistics.median(seconds):.2f} s for {megabytes:.0f} MB",
    )  # fmt: skip


def resume_time() -> Result:
    """Seconds from `--resume` to the first new step, without TensorFlow's own start."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sample("digits", folder / "digits")
        run = folder / "run"
        options = ("--preset", "tiny", "--checkpoint-every", "1 step", "--epochs", "1")
        process = start(["classify", "train", folder / "digits", *options, "--output", run])
        seconds_to_step(process, run, 3)
        took, imports = [], []
        for _ in range(3):
            before = newest_step(run)
            process = start(["classify", "train", "--output", run, "--resume"])
            took.append(seconds_to_step(process, run, before + 1))
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import tensorflow, keras"], capture_output=True)
            imports.append(time.perf_counter() - started)
    whole, import_time = statistics.median(took), statistics.median(imports)
    return Result(
        "resume to first new step", whole - import_time, " s", ceiling=10.0,
        details=f"{whole:.1f} s, of which importing TensorFlow takes {import_time:.1f} s",
    )  # fmt: skip


def seconds_to_step(process: subprocess.Popen, run: Path, step: int) -> float:
    """Waits for a checkpoint of `step` or later, then kills the process."""
    started = time.perf_counter()
    while newest_step(run) < step:
        if process.poll() is not None:
            raise RuntimeError(process.communicate()[0])
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    process.kill()
    process.communicate()
    return seconds
