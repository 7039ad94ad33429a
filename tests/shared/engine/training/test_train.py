"""The training loop: exact resume, several devices, accumulation, clipping, bad numbers."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.common import config as configs
from shared.common import progress as progress_module
from shared.common.errors import Interrupted, KerasuiteError
from shared.engine.app import LAST_EPOCH
from shared.engine.run import Run, load_best, open_run
from shared.engine.training import train as training
from shared.engine.training.checkpoint_clock import CheckpointClock
from shared.engine.training.evaluate import evaluate
from shared.report import plots
from shared.testing.app_test import read_history
from tests.shared.engine.training.toy_app import ToyApp, ToyConfig


def toy_config(**overrides):
    base = {"preset": "test", "learning_rate": 0.05, "optimization.optimizer": "sgd"}
    return configs.resolve(ToyConfig, base | overrides)


def train_toy(folder, resume=False, **overrides):
    return training.train(ToyApp(), toy_config(**overrides), folder, resume)


def final_state(folder):
    path = sorted((folder / "checkpoints").glob("step-*.npz"))[-1]
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def assert_same_state(left, right):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


@pytest.fixture(autouse=True)
def without_curves(request, monkeypatch):
    """Leaves out the plots, half of the time of a small training; one test looks for them."""
    if request.node.originalname != "test_run_folder_is_complete_and_loss_falls":
        monkeypatch.setattr(plots, "curves", lambda *arguments: None)


class KillAt:
    """Raises in the middle of training, as a kill would stop it."""

    def __init__(self, monkeypatch, step):
        self.left = step
        real = training.replicas.split

        def split(strategy, batch):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return real(strategy, batch)

        monkeypatch.setattr(training.replicas, "split", split)


def test_run_folder_is_complete_and_loss_falls(tmp_path):
    run = train_toy(tmp_path / "run", epochs=8)
    names = {path.name for path in run.folder.iterdir()}
    assert names >= {
        "config.yaml",
        "history.csv",
        "metrics.json",
        "environment.json",
        "checkpoints",
        "model.keras",
        "plots",
        "tensorboard",
        "README.md",
    }
    rows = read_history(run.folder)
    assert [int(float(row["epoch"])) for row in rows] == list(range(1, 9))
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["mse"] == pytest.approx(min(float(row["val_mse"]) for row in rows), rel=1e-5)


def test_reported_loss_is_the_mean_over_the_epoch(tmp_path):
    """With a learning rate of almost nothing the loss equals the plain mean over the batches."""
    run = train_toy(tmp_path / "run", learning_rate=1e-12, epochs=1)
    app = ToyApp()
    app.prepare(run)
    model = load_best(app, run)
    batches = list(app.dataset(run, "train").take(run.steps_per_epoch))
    expected = np.mean([np.square(y - model(x)).mean() for x, y in batches])
    row = read_history(run.folder)[0]
    assert float(row["loss"]) == pytest.approx(expected, rel=1e-5)


# Everything random or averaged that a checkpoint has to hold.
KILLED = {
    "dropout": 0.3,
    "batch_norm": True,
    "optimization.ema": 0.9,
    "checkpoint_every": "1 step",
    "deterministic": True,
}


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    """The run folder of a training that nothing interrupts."""
    return train_toy(tmp_path_factory.mktemp("left-alone") / "run", **KILLED).folder


@pytest.mark.parametrize(
    "kill_at",
    [1, 8, pytest.param(5, marks=pytest.mark.slow), pytest.param(11, marks=pytest.mark.slow)],
)
def test_killed_and_resumed_equals_left_alone(left_alone, tmp_path, monkeypatch, kill_at):
    """Dropout, momentum, batch normalisation, weight average and history to the last bit."""
    killed = tmp_path / "killed"
    with monkeypatch.context() as patch:
        KillAt(patch, kill_at)
        with pytest.raises(KeyboardInterrupt):
            train_toy(killed, **KILLED)
    keras.utils.set_random_seed(999)
    train_toy(killed, resume=True, **KILLED)
    assert_same_state(final_state(left_alone), final_state(killed))
    for name in ("history.csv", "metrics.json"):
        assert (left_alone / name).read_text() == (killed / name).read_text()


def test_killed_before_the_first_checkpoint_keeps_its_start(tmp_path, monkeypatch):
    """`--init` counts again when a run is resumed that has no checkpoint yet."""
    start = train_toy(tmp_path / "start", seed=7)
    options = {"init": str(start.folder), "checkpoint_every": "10m"}
    train_toy(tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        KillAt(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            train_toy(tmp_path / "killed", **options)
    assert not list((tmp_path / "killed").glob("checkpoints/*.npz"))
    train_toy(tmp_path / "killed", True, **options)
    assert_same_state(final_state(tmp_path / "whole"), final_state(tmp_path / "killed"))


def test_what_init_does_not_bring_is_named(tmp_path, capsys):
    start = train_toy(tmp_path / "start", batch_norm=True)
    for name in ("same", "narrower"):
        options = {"init": str(start.folder), "batch_norm": name == "same"}
        train_toy(tmp_path / name, **options, hidden=6 if name == "same" else 5)
        warned = capsys.readouterr().err
        if name == "same":
            assert "--init" not in warned
        else:
            # The output has one bias whatever it reads.
            assert "nothing in it fits dense, dense_1/kernel; begins untrained" in warned


def test_patience_waits_for_a_validation(tmp_path, capsys):
    """With a rate of 0 nothing becomes better after the first validation, in epoch 2."""
    options = {"epochs": 9, "validate_every": 2, "optimization.patience": 1}
    train_toy(tmp_path / "run", learning_rate=1e-12, **options)
    rows = read_history(tmp_path / "run")
    assert [row["epoch"] for row in rows][-1] == 4
    assert (
        "stopped early: val_mse has been best in epoch 2 (--patience 1)" in capsys.readouterr().err
    )


def test_the_time_left_leaves_out_the_step_that_is_traced(tmp_path, monkeypatch):
    """Tracing takes an hour by this clock, a step a second."""
    now, shown = [0.0], []
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    build = training.build_train_step

    def build_slow(*arguments, **options):
        step = build(*arguments, **options)

        def timed(batch):
            before = step.experimental_get_tracing_count()
            means = step(batch)
            now[0] += 3600.0 if step.experimental_get_tracing_count() > before else 1.0
            return means

        timed.experimental_get_tracing_count = step.experimental_get_tracing_count
        return timed

    advance = progress_module.Progress.advance
    monkeypatch.setattr(training, "build_train_step", build_slow)
    monkeypatch.setattr(
        progress_module.Progress,
        "advance",
        lambda self, count=1: (advance(self, count), shown.append(self.status())),
    )
    train_toy(tmp_path / "run", epochs=1, batch_size=4)
    assert shown[0].split(", ")[1] == "1/s" and all("1:00:" not in line for line in shown)


def test_resume_extends_the_epochs(tmp_path):
    train_toy(tmp_path / "run", epochs=1, **{"optimization.schedule": "constant"})
    train_toy(tmp_path / "run", True, epochs=3, **{"optimization.schedule": "constant"})
    train_toy(tmp_path / "whole", epochs=3, **{"optimization.schedule": "constant"})
    rows = [read_history(tmp_path / name) for name in ("run", "whole")]
    assert [row["epoch"] for row in rows[0]] == [row["epoch"] for row in rows[1]]


def test_a_torn_checkpoint_is_skipped(tmp_path, caplog):
    whole = train_toy(tmp_path / "run", keep=3, checkpoint_every="2 steps")
    expected = final_state(whole.folder)
    newest = sorted((whole.folder / "checkpoints").glob("*.npz"))[-1]
    newest.write_bytes(newest.read_bytes()[:-37])
    train_toy(tmp_path / "run", True, keep=3, checkpoint_every="2 steps")
    assert "damaged" in caplog.text
    assert_same_state(expected, final_state(whole.folder))


def test_checkpoint_of_another_model_is_refused(tmp_path):
    train_toy(tmp_path / "run")
    with pytest.raises(KerasuiteError, match="another model"):
        train_toy(tmp_path / "run", True, hidden=7, epochs=4)


def test_interrupt_saves_and_says_how_to_go_on(tmp_path, monkeypatch):
    class Signals:
        raised = None

    real = training.replicas.split
    signals = Signals()

    def split(strategy, batch):
        signals.raised = 15
        return real(strategy, batch)

    class Context:
        def __enter__(self):
            return signals

        def __exit__(self, *exception):
            return False

    monkeypatch.setattr(training, "catch_signals", Context)
    monkeypatch.setattr(training.replicas, "split", split)
    with pytest.raises(Interrupted, match="--resume") as error:
        train_toy(tmp_path / "run")
    assert error.value.exit_code == 143
    assert [p.name for p in (tmp_path / "run/checkpoints").iterdir()] == ["step-000000001.npz"]


def test_not_a_number_stops_with_the_name_of_the_loss(tmp_path):
    with pytest.raises(KerasuiteError, match="loss became"):
        train_toy(tmp_path / "run", explode_at=5)
    assert not np.isnan(final_state(tmp_path / "run")["model/0000/dense/kernel"]).any()


def test_existing_run_is_not_overwritten(tmp_path):
    train_toy(tmp_path / "run", epochs=1)
    with pytest.raises(KerasuiteError, match="--resume"):
        train_toy(tmp_path / "run", epochs=1)


def test_a_model_that_came_from_elsewhere_is_not_resumed(tmp_path):
    """An imported or compressed run would be trained anew over its model."""
    run = train_toy(tmp_path / "run", epochs=1)
    before = (run.folder / "model.keras").read_bytes()
    shutil.rmtree(run.folder / "checkpoints")
    (run.folder / "history.csv").unlink()
    with pytest.raises(KerasuiteError, match="not trained there"):
        train_toy(tmp_path / "run", True, epochs=1)
    assert (run.folder / "model.keras").read_bytes() == before


def test_early_stopping_and_best_model(tmp_path):
    run = train_toy(tmp_path / "run", epochs=30, learning_rate=1.9, **{"optimization.patience": 2})
    rows = read_history(run.folder)
    values = [float(row["val_mse"]) for row in rows]
    assert len(rows) < 30
    assert len(rows) - 1 - int(np.argmin(values)) == 2
    app = ToyApp()
    opened = open_run(app, run.folder)
    metrics, _ = evaluate(app, opened, load_best(app, opened))
    assert metrics["mse"] == pytest.approx(min(values), rel=1e-5)


def test_metric_chooses_the_best_model_and_when_to_stop(tmp_path, monkeypatch, capsys):
    """Toy's error falls; who wants it high has the best model after the first epoch."""
    monkeypatch.setattr(ToyConfig, "metrics", {"mse": "max"})
    options = {"epochs": 9, "metric": "mse", "optimization.patience": 2}
    run = train_toy(tmp_path / "run", learning_rate=0.01, **options)
    values = [float(row["val_mse"]) for row in read_history(run.folder)]
    assert len(values) == 3 and values[0] == max(values)
    assert "val_mse has been best in epoch 1 (--patience 2)" in capsys.readouterr().err
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["mse"] == pytest.approx(max(values), rel=1e-5)
    assert "the one with the highest `val_mse`" in (run.folder / "README.md").read_text()


def test_patience_is_refused_where_the_last_epoch_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyApp, "monitor", LAST_EPOCH)
    with pytest.raises(KerasuiteError, match="--patience: is not used.*--metric"):
        train_toy(tmp_path / "run", **{"optimization.patience": 2})
    assert not (tmp_path / "run").exists()


def test_a_metric_that_the_data_do_not_give_is_told_with_those_they_do(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyConfig, "metrics", {"loss": "min", "mse": "min", "top5": "max"})
    with pytest.raises(KerasuiteError, match="--metric top5: is not measured.*: loss, mse$"):
        train_toy(tmp_path / "run", metric="top5", epochs=1)


def losses_of_steps(strategy, steps=6, cpu_data_parallel=False, **overrides):
    """Losses of the first steps and the weights after them."""
    keras.utils.set_random_seed(3)
    app = ToyApp()
    run = Run(toy_config(**overrides), folder=None, strategy=strategy)
    app.prepare(run)
    run.steps_per_epoch = app.steps_per_epoch(run)
    with strategy.scope():
        model = app.build(run)
        training.prepare_optimizer(model)
        step = training.build_train_step(
            model, strategy, run.config.optimization, cpu_data_parallel=cpu_data_parallel
        )
    losses = []
    for batch in app.dataset(run, "train").take(steps):
        value, count = step(training.replicas.split(strategy, batch))["loss"]
        losses.append(float(value) / float(count))
    return losses, [np.asarray(weight) for weight in model.weights]


@pytest.mark.parametrize("batch_size", [2, 3, 7, 8])
@pytest.mark.parametrize("clip", [0.0, 0.1])
def test_two_devices_equal_one(two_devices, batch_size, clip):
    """Uneven splits, synchronised batch normalisation, clipping after the all-reduce."""
    options = {"batch_size": batch_size, "optimization.clip_norm": clip}
    # Two examples are normalised to 1 and -1 whatever they were: their gradient is rounding only.
    options["batch_norm"] = batch_size > 2
    one = losses_of_steps(tf.distribute.get_strategy(), **options)
    two = losses_of_steps(two_devices, **options)
    np.testing.assert_allclose(one[0], two[0], rtol=5e-5)
    for left, right in zip(one[1], two[1], strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)


@pytest.mark.parametrize("parts", [2, 3, 20])
def test_accumulation_equals_the_whole_batch(parts):
    one = losses_of_steps(tf.distribute.get_strategy())
    many = losses_of_steps(tf.distribute.get_strategy(), **{"optimization.micro_batches": parts})
    assert_same_losses(one, many)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 8])
def test_cpu_data_parallel_equals_the_whole_batch(batch_size):
    one = losses_of_steps(tf.distribute.get_strategy(), batch_size=batch_size)
    parallel = losses_of_steps(
        tf.distribute.get_strategy(), batch_size=batch_size, cpu_data_parallel=True
    )
    assert_same_losses(one, parallel)


def test_parallel_micro_batches_draw_what_sequential_ones_draw():
    """That they are computed at once changes no mask: each has its own, in every step."""
    strategy, sequential = tf.distribute.get_strategy(), {"optimization.micro_batches": 2}
    parallel = losses_of_steps(strategy, cpu_data_parallel=True, dropout=0.5)
    assert_same_losses(parallel, losses_of_steps(strategy, dropout=0.5, **sequential))
    assert not np.allclose(parallel[0], losses_of_steps(strategy, dropout=0.5)[0], rtol=1e-3)


def test_micro_batches_are_sequential_but_for_cpu_data_parallel(monkeypatch):
    """The arguments of the loop over micro-batches, and whether it waits for the first one."""
    loops = []
    real = tf.while_loop

    def while_loop(condition, body, variables, parallel_iterations):
        waits_for = variables[0].op.control_inputs
        loops.append((parallel_iterations, bool(waits_for)))
        return real(condition, body, variables, parallel_iterations=parallel_iterations)

    monkeypatch.setattr(tf, "while_loop", while_loop)
    losses_of_steps(tf.distribute.get_strategy(), steps=1)
    assert not loops
    losses_of_steps(tf.distribute.get_strategy(), steps=1, **{"optimization.micro_batches": 3})
    losses_of_steps(tf.distribute.get_strategy(), steps=1, cpu_data_parallel=True)
    assert loops == [(1, True), (2, False)]


def assert_same_losses(one, other):
    np.testing.assert_allclose(one[0], other[0], rtol=1e-5)
    for left, right in zip(one[1], other[1], strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_clipping_bounds_the_update():
    """Plain SGD without momentum moves by at most learning rate times the clip norm."""
    options = {
        "optimization.clip_norm": 0.01,
        "optimization.momentum": 0.0,
        "optimization.warmup": 0.0,
        "optimization.schedule": "constant",
    }
    before = losses_of_steps(tf.distribute.get_strategy(), steps=0, **options)[1]
    after = losses_of_steps(tf.distribute.get_strategy(), steps=1, **options)[1]
    moved = np.sqrt(sum(np.square(a - b).sum() for a, b in zip(before, after, strict=True)))
    assert moved == pytest.approx(0.05 * 0.01, rel=1e-3)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns(tmp_path, precision):
    run = train_toy(tmp_path / "run", precision=precision, epochs=6)
    rows = read_history(run.folder)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_state_survives_json():
    state = training.State(3, [{"epoch": 1, "loss": 0.1 + 0.2}], {"loss": [1 / 3, 2.0]}, 0.7, 1)
    assert training.State(**json.loads(json.dumps(dataclasses.asdict(state)))) == state


@pytest.mark.parametrize("text", ["", "0 steps", "5", "3h", "-1s"])
def test_checkpoint_every_is_checked(text):
    with pytest.raises(KerasuiteError, match="--checkpoint-every"):
        CheckpointClock(text)
