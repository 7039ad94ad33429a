"""Elman's network, LSTM and GRU of equal size: who learns the longer dependencies?

On text, the loss, and how much the gradient of a prediction is still felt by the letters before
it; on the recall task, over how many letters one is remembered. `make quality`, a quarter of an
hour of one core; it draws docs/images/recurrent-memory.png.
"""

import json
import time

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from apps.language.app import LanguageApp
from shared.engine.run import load_best, open_run
from shared.testing.app_test import expect_success, kerasuite
from shared.text.token_file import open_tokens
from tests.quality.recall_task import RecallTask
from tests.quality.results import FOLDER, write_result

pytestmark = pytest.mark.quality

# Widths with which all have the same number of weights, within 1 %.
NAMES = {"rnn": "Elman's network", "lstm": "LSTM", "gru": "GRU"}
TEXT_WIDTHS = {"rnn": 240, "lstm": 128, "gru": 146}
RECALL_WIDTHS = {"rnn": 128, "lstm": 64, "gru": 74}
EPOCHS, WINDOW = 5, 128
GAPS = (2, 5, 10, 20, 40, 80, 160)
RECALLED = 0.9  # Share of the letters from which on a gap counts as bridged.
PICTURE = FOLDER.parent / "images" / "recurrent-memory.png"


def test_recurrent_memory(real_data, tmp_path):
    text = real_data / "tinyshakespeare" / "input.txt"
    losses, sizes, gradients, recalled = {}, {}, {}, {}
    for cell, name in NAMES.items():
        seconds = train(cell, text, tmp_path / cell)
        losses[cell] = json.loads((tmp_path / cell / "metrics.json").read_text())["loss"]
        sizes[cell], gradients[cell] = weights_and_gradients(tmp_path / cell)
        task = RecallTask(cell, RECALL_WIDTHS[cell])
        recalled[cell] = [task.accuracy(gap) for gap in GAPS]
        reach = longest(recalled[cell])
        print(f"\n{name}: {sizes[cell]:,} weights, loss {losses[cell]:.3f} in {seconds:.0f} s")
        print(f"recalled over {GAPS}: {np.round(recalled[cell], 2)}")
        print(f"gradient 10, 50, 100 letters back: {gradients[cell][[10, 50, 100]]}")
        write_result(
            f"lm-tinyshakespeare-{cell}",
            f"kerasuite lm train tinyshakespeare/input.txt {' '.join(map(str, options(cell)))}",
            f"tinyshakespeare, the last tenth of its characters; {name}, "
            f"{sizes[cell] / 1000:.0f},000 weights",
            "loss in nats a character; letters over which one is recalled after 400 steps",
            f"{losses[cell]:.2f}; {reach}", seconds,
        )  # fmt: skip
    draw(gradients, recalled)
    assert max(sizes.values()) <= 1.01 * min(sizes.values())
    assert max(losses.values()) < 2.1 and min(map(longest, recalled.values())) >= 10
    # What the carry of an LSTM is for: its gradient comes furthest.
    assert gradients["lstm"][100] > 1000 * max(gradients["rnn"][100], gradients["gru"][100])


def options(cell: str) -> tuple:
    return (
        "--architecture", cell, "--num-layers", 1, "--hidden-dim", TEXT_WIDTHS[cell],
        "--sequence-length", WINDOW, "--epochs", EPOCHS, "--learning-rate", 3e-3,
        "--no-tie-embeddings",
    )  # fmt: skip


def train(cell: str, text, folder) -> float:
    """Seconds of a training from the command line."""
    started = time.perf_counter()
    command = ("lm", "train", text, *options(cell), "--output", folder)
    expect_success(kerasuite(*command, timeout=3600))
    return time.perf_counter() - started


def longest(accuracies: list[float]) -> int:
    """The longest gap up to which every one is bridged."""
    reach = 0
    for gap, accuracy in zip(GAPS, accuracies, strict=True):
        if accuracy < RECALLED:
            break
        reach = gap
    return reach


def weights_and_gradients(folder) -> tuple[int, np.ndarray]:
    """Weights of a trained model, and the gradient of a prediction by distance.

    Returns:
        Their number; and float (WINDOW,): the mean norm of the gradient of the loss of a letter
        with respect to the embedding of the one that stands this many before the last read one,
        as a share of that of the last.
    """
    app = LanguageApp()
    run = open_run(app, folder)
    app.prepare(run)
    model = load_best(app, run)
    tokens = open_tokens(folder / "validation.bin")
    begins = np.random.default_rng(0).integers(len(tokens) - WINDOW - 1, size=256)
    windows = tf.constant(tokens[begins[:, None] + np.arange(WINDOW + 1)])
    with tf.GradientTape() as tape:
        embedded = model.embedding(windows[:, :-1])
        tape.watch(embedded)
        outputs, _ = model.recurrent_layers(embedded)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(
            windows[:, -1], model.logits(outputs[:, -1])
        )
    norms = tf.reduce_mean(tf.norm(tape.gradient(loss, embedded), axis=-1), axis=0).numpy()[::-1]
    return model.count_params(), norms / norms[0]


def draw(gradients: dict[str, np.ndarray], recalled: dict[str, list[float]]) -> None:
    """Draws both curves of all cells."""
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for cell, name in NAMES.items():
        left.semilogy(gradients[cell], label=name)
        right.semilogx(GAPS, recalled[cell], marker="o", markersize=4, label=name)
    left.set_title("Gradient of a prediction (Shakespeare, trained)")
    left.set_xlabel("letters before the last one")
    left.set_ylabel("share of the last one's")
    right.set_title("Recall of a letter, after 400 steps on each gap")
    right.set_xlabel("letters in between")
    right.set_ylabel("recalled (by chance 0.125)")
    right.set_xticks(GAPS, GAPS)
    right.minorticks_off()
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(PICTURE, dpi=80)
