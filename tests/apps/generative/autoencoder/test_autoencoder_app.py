"""Autoencoders from the command line: learning, data, results, bad input."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.generative.autoencoder import data
from apps.generative.autoencoder.app import AutoencoderApp
from apps.generative.autoencoder.coder import Coder
from apps.generative.autoencoder.config import AutoencoderConfig
from apps.generative.autoencoder.evaluator import AutoencoderEvaluator
from apps.generative.autoencoder.figures import pairs_of
from shared.common import config as configs
from shared.engine.run import load_best, open_run
from shared.engine.saved_model.seeded_pictures import noise_of_seeds
from tests.apps.app_cases import write_digits
from tests.in_process import run_command


def autoencoder(*arguments, code=0):
    done = run_command("autoencoder", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def error_of(*arguments, code=1):
    done = autoencoder(*arguments, code=code)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("kerasuite: ")]
    return line.removeprefix("kerasuite: ")


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def rows_of(folder, name="predictions.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Forty digits in four folders."""
    return write_digits(tmp_path_factory.mktemp("data") / "digits")[0]


@pytest.fixture(scope="module")
def anomalies(tmp_path_factory):
    """Three pictures of noise, one of them in colour, and a text."""
    folder = tmp_path_factory.mktemp("anomalies")
    generator = np.random.default_rng(0)
    for index, shape in enumerate([(8, 8), (9, 12), (8, 8, 3)]):
        pixels = generator.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    (folder / "text.png").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def run(digits, anomalies, tmp_path_factory):
    """A variational run that learnt forty digits by heart, far from the prior."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    autoencoder(
        "train", digits, "--preset", "test", "--architecture", "mlp", "--hidden-dim", 128,
        "--beta", 0.02, "--code", 8, "--epochs", 120, "--batch-size", 18, "--learning-rate", 0.01,
        "--validate-every", 60, "--anomalies", anomalies, "--output", folder,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    root = tmp_path_factory.mktemp("saved_models")
    autoencoder("export", run, "--output", root)
    return root / "autoencoder" / "run"


# === Learning ===


def test_forty_digits_are_learnt_by_heart(run, digits):
    """Their pictures come back from eight numbers."""
    with open(run / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["reconstruction"]) < 0.75 * float(rows[0]["reconstruction"])
    app = AutoencoderApp()
    opened = open_run(app, run)
    model = load_best(app, opened)
    pictures = np.concatenate(
        [batch[0]["target"] for batch in app.batches(opened, "train").take(2)]
    )
    _, made, errors = Coder(model).code(np.uint8(np.round(pictures * 255)))
    assert made.std() > 50
    assert errors.mean() < 0.02


def test_figures_of_a_variational_run(run):
    metrics = metrics_of(run)
    assert metrics["elbo"] == pytest.approx(-metrics["reconstruction"] - metrics["kl"], rel=1e-6)
    assert metrics["loss"] == pytest.approx(
        metrics["reconstruction"] + 0.02 * metrics["kl"], rel=1e-6
    )
    assert metrics["importance_weighted_bound"] > metrics["elbo"]
    assert (metrics["pictures"], metrics["anomalies"]) == (4, 3)
    # Noise is like no digit.
    assert metrics["anomaly_auroc"] == 1.0
    assert 0 < metrics["active_units"] <= 8
    assert "fallen back on the prior" in (run / "README.md").read_text()


def test_pictures_of_a_run(run):
    plots = {path.name for path in (run / "plots").iterdir()}
    assert plots == {"curves.png", "codes.png", "walk.png", "largest_errors.png", "anomalies.png"}
    samples = {path.name for path in (run / "samples").iterdir()}
    assert samples == {"epoch-0060.png", "epoch-0120.png"}


def test_evaluate_measures_the_errors_that_predict_writes(run, digits, anomalies, exported):
    """AUROC of two folders, from the SavedModel's errors."""
    from sklearn.metrics import roc_auc_score

    done = autoencoder("evaluate", run, digits, "--anomalies", anomalies, "--projection", "tsne")
    assert "1 picture(s) cannot be read" in done.stderr
    metrics = metrics_of(run / "evaluation")
    assert metrics["pictures"] == 40
    errors = []
    for name, given, code in (("usual", digits, 0), ("unusual", anomalies, 3)):
        output = run.parent / name
        autoencoder("predict", exported, given, "--output", output, code=code)
        errors.append([row["error"] for row in rows_of(output)])
    truth = roc_auc_score([0] * 40 + [1] * 3, [*errors[0], *errors[1]])
    assert metrics["anomaly_auroc"] == pytest.approx(truth)
    assert metrics["mse"] == pytest.approx(np.mean(errors[0]), rel=1e-3)


# === Results ===


def test_predictions(exported, digits, tmp_path):
    autoencoder("predict", exported, digits, "--output", tmp_path / "out", "--format", "csv")
    rows = rows_of(tmp_path / "out")
    codes = np.load(tmp_path / "out" / "codes.npy")
    assert codes.shape == (40, 8) and codes.dtype == np.float32
    np.testing.assert_array_equal(codes, np.array([row["code"] for row in rows], np.float32))
    for row in rows[:5]:
        given = np.asarray(Image.open(f"{digits}/{row['file']}"), np.float64)
        made = np.asarray(Image.open(tmp_path / "out" / row["reconstruction"]), np.float64)
        assert made.shape == (8, 8)
        # The error is that before levels are rounded.
        assert row["error"] == pytest.approx(np.mean((given - made) ** 2) / 255**2, abs=2e-4)
    assert (tmp_path / "out" / "index.html").exists()


def test_colours_turned_grey_are_counted(exported, anomalies, tmp_path):
    done = autoencoder("predict", exported, anomalies, "--output", tmp_path / "out", code=3)
    assert "1 image(s) in colour are turned grey" in done.stderr
    assert [row["file"] for row in rows_of(tmp_path / "out", "errors.jsonl")] == ["text.png"]


def test_search_finds_the_picture_itself(exported, digits, anomalies, tmp_path):
    query = f"{digits}/0/0.png"
    done = autoencoder(
        "search", exported, query, digits, anomalies, "--top", 3, "--output", tmp_path / "found.png"
    )
    first, *others = done.stdout.splitlines()[:3]
    assert first.startswith("0.000  ") and first.endswith("0/0.png")
    distances = [float(line.split()[0]) for line in others]
    assert distances == sorted(distances) and distances[0] > 0
    assert "text.png" in done.stderr and "left out" in done.stderr
    assert Image.open(tmp_path / "found.png").size[0] > 100


def test_samples_depend_on_their_seed_alone(exported, run, tmp_path):
    autoencoder("sample", exported, "--count", 5, "--output", tmp_path / "one")
    autoencoder("sample", exported, "--count", 2, "--seed", 4, "--output", tmp_path / "two")
    row = rows_of(tmp_path / "two")[0]
    assert row["seed"] == 4
    found = (tmp_path / "two" / row["image"]).read_bytes()
    fourth = rows_of(tmp_path / "one")[3]
    assert (tmp_path / "one" / fourth["image"]).read_bytes() == found
    app = AutoencoderApp()
    model = load_best(app, open_run(app, run))
    truth = Coder(model).decode(noise_of_seeds(tf.constant([4], tf.int64), 8).numpy())[0, ..., 0]
    made = np.asarray(Image.open(tmp_path / "two" / row["image"]), int)
    assert np.abs(made - truth).max() <= 1


def test_the_served_model_takes_and_gives_no_rows(exported):
    loaded = tf.saved_model.load(str(exported / "1"))
    assert set(loaded.signatures) >= {"serving_default", "decode", "generate"}
    empty = loaded.signatures["serving_default"](image_bytes=tf.zeros((0,), tf.string))
    assert empty["code"].shape == (0, 8) and empty["reconstruction"].shape == (0,)
    made = loaded.signatures["decode"](code=tf.zeros((2, 8)))["image_bytes"]
    assert tf.io.decode_png(made[0]).shape == (8, 8, 1)


# === Data ===


def config_of(digits, **settings):
    return configs.resolve(AutoencoderConfig, {"preset": "test", "data": (digits,), **settings})


def test_noise_is_that_of_the_seed(digits):
    """Noisy pictures stay in 0..1, the target is clean; drawn numbers are standard normal."""
    config = config_of(digits, **{"model.kind": "denoising", "loss.noise": 0.2})
    picture, seed = tf.fill((50, 50, 1), 0.5), tf.constant([1, 2])
    x = data.example(picture, seed, config)
    noise = x["image"].numpy() - 0.5
    assert noise.std() == pytest.approx(0.2, rel=0.05) and np.abs(noise).max() <= 0.5
    np.testing.assert_array_equal(x["target"], picture)
    np.testing.assert_array_equal(data.example(picture, seed, config)["image"], x["image"])
    config = config_of(digits, **{"model.code": 4000})
    epsilon = data.example(picture, seed, config)["epsilon"].numpy()
    assert epsilon.std() == pytest.approx(1, rel=0.05)


def test_white_stays_white_and_colours_become_luma():
    image = tf.constant([[[255, 255, 255], [255, 0, 0]]], tf.uint8)
    np.testing.assert_allclose(data.model_input(image, 1)[0, :, 0], [1, 76 / 255], rtol=1e-6)
    np.testing.assert_allclose(data.model_input(image, 3)[0, 1], [1, 0, 0])


def test_a_denoising_run_in_colour(tmp_path):
    """Pictures of unequal sizes; figures of the noisy input beside those of the result."""
    generator = np.random.default_rng(0)
    colours = tmp_path / "colours"
    colours.mkdir()
    for index in range(12):
        pixels = generator.integers(0, 256, (6 + index, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(colours / f"{index}.png")
    done = autoencoder(
        "train", colours, "--preset", "test", "--kind", "denoising", "--likelihood", "gaussian",
        "--epochs", 1, "--image-size", 9, "--flip", "--output", tmp_path / "run",
    )  # fmt: skip
    assert "3 picture(s) are smaller than --image-size 9 and are enlarged" in done.stderr
    assert "11 picture(s) are not square: what stands out of the square is cut off" in done.stderr
    metrics = metrics_of(tmp_path / "run")
    assert {"noisy_psnr", "psnr", "reconstruction"} < set(metrics) and "kl" not in metrics
    message = error_of("sample", tmp_path / "run", "--output", tmp_path / "drawn")
    assert "is of --kind denoising" in message and "train with --kind variational" in message


def test_sparse_figures_are_of_all_pictures(digits):
    """The divergence of the mean over both batches, which is not the mean of the two."""
    settings = {"model.kind": "sparse", "model.code": 2, "loss.sparsity_weight": 3.0}
    evaluator = AutoencoderEvaluator(config_of(digits, **settings), [""] * 3, coder=None)
    codes = np.array([[0.1, 0.5], [0.3, 0.2], [0.8, 0.2]], np.float32)
    for part in (codes[:2], codes[2:]):
        levels = np.zeros((len(part), 8, 8, 1), np.uint8)
        outputs = {"code": part, "target": levels, "reconstruction": levels}
        outputs |= {"nats": np.ones(len(part)), "mse": np.zeros(len(part))}
        evaluator.update(None, outputs)
    result = evaluator.result()
    rates = codes.mean(axis=0)
    penalty = np.sum(0.05 * np.log(0.05 / rates) + 0.95 * np.log(0.95 / (1 - rates)))
    assert result["loss"] == pytest.approx(1 + 3 * penalty, rel=1e-5)
    assert result["mean_activation"] == pytest.approx(codes.mean())
    assert result["psnr"] == 100.0


def test_walks_lead_from_folder_to_folder():
    assert pairs_of(["b", "b", "a", "c"]) == [(0, 2), (2, 3)]
    assert pairs_of(["", "", ""]) == [(0, 1), (1, 2)]


# === Bad input ===


def test_options_of_other_kinds_are_refused(digits):
    for options, reason in (
        (("--beta", 2), "--beta: is not used with --kind plain"),
        (("--noise", 0.1), "--noise: is not used with --kind plain"),
        (("--kind", "variational", "--sparsity", "l1"), "--sparsity: is not used with --kind var"),
        (("--kind", "sparse", "--sparsity", "l1", "--target-rate", 0.1),
         "--target-rate: is not used with --sparsity l1"),
        (("--width", 16), "--width: is not used with --architecture mlp"),
        (("--bound-samples", 5), "--bound-samples: is not used with --kind plain"),
        (("--architecture", "conv", "--num-layers", 5, "--image-size", 16),
         "--num-layers 5: halves 16 pixels more often than they can be; give at most 4"),
        (("--anomalies", "nowhere"), "--anomalies nowhere: no such folder"),
    ):  # fmt: skip
        assert reason in error_of("train", digits, *options)


def test_bad_data(digits, tmp_path):
    one = tmp_path / "one"
    one.mkdir()
    Image.new("L", (8, 8)).save(one / "a.png")
    train = ("train", one, "--preset", "test", "--output", tmp_path / "run")
    assert "is the only usable picture" in error_of(*train)
    (one / "a.png").write_text("torn")
    assert "none of 1 pictures can be read; the first is" in error_of(*train)
    (one / "a.png").unlink()
    assert "no pictures in it" in error_of(*train)
    for part, name in (("train", "a.png"), ("train", "c.png"), ("val", "b.png")):
        (one / part).mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(one / part / name)
    (one / "val" / "b.png").write_text("torn")
    assert "no usable picture in the validation part" in error_of(*train)
    assert "no such folder" in error_of("train", digits, "--anomalies", tmp_path / "nowhere")


def test_check_counts_what_changes(anomalies):
    done = autoencoder(
        "check", anomalies, "--image-size", 9, "--colour", "grey", "--code", 81, code=3
    )
    for line in (
        "4 pictures, 3 readable",
        "coded as 9 x 9 pixels, grey",
        "2 picture(s) are smaller than --image-size 9 and are enlarged",
        "1 picture(s) in colour are turned grey (--colour grey)",
        "--code 81: a picture has only 81 numbers itself, so that nothing needs to be compressed",
    ):
        assert line in done.stdout
    assert "text.png" in done.stdout


def test_anomalies_that_went_away_are_named(run):
    message = error_of("evaluate", run, "--anomalies", "nowhere")
    assert message == "--anomalies nowhere: no such folder; check the path"
