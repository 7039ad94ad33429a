"""The task from pictures to samples: what the common checks do not show."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.generative.gan.app import GANApp
from apps.generative.gan.config import GANConfig
from apps.generative.gan.serving import GeneratorServing
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import load_best, open_run
from shared.engine.saved_model.seeded_pictures import noise_of_seeds
from shared.engine.training.train import train
from tests.apps.app_cases import write_digits, write_scenes
from tests.in_process import run_command

CLASSES = ["0", "1", "2", "3"]


def config(data, **values) -> GANConfig:
    settings = {"preset": "test", "data": tuple(data), "epochs": 1}
    return configs.resolve(GANConfig, settings | values)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Of dense layers, with classes and uniform noise."""
    data = write_digits(tmp_path_factory.mktemp("digits"))
    values = {
        "model.architecture": "mlp",
        "model.hidden_dim": 16,
        "model.noise": "uniform",
        "data_options.labels": True,
    }
    return train(GANApp(), config(data, **values), tmp_path_factory.mktemp("runs") / "run").folder


def decoded(content: bytes) -> np.ndarray:
    return tf.io.decode_png(content).numpy()


def test_the_run_shows_samples_walks_and_neighbours(run):
    names = {path.name for path in (run / "samples").iterdir()}
    assert names == {"epoch-0001.png", "samples.png", "real.png", "walks.png", "nearest.png"}
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["classes"] == 4
    assert set(metrics["class_shares"]) == set(CLASSES)
    # After one epoch all samples are alike, which the card says.
    assert any(line.startswith("Mode collapse") for line in metrics["remarks"])
    assert f"- {metrics['remarks'][0]}" in (run / "README.md").read_text()


def test_sample_makes_what_predict_makes_of_its_lines(run, tmp_path):
    made, again = tmp_path / "made", tmp_path / "again"
    arguments = ("gan", "sample", run, "--count", 5, "--seed", 3, "--label", "2")
    assert run_command(*arguments, "--output", made).returncode == 0
    assert (made / "seeds.txt").read_text() == "".join(f"{n}\t2\n" for n in range(3, 8))
    rows = [json.loads(line) for line in (made / "predictions.jsonl").read_text().splitlines()]
    assert [(row["seed"], row["label"]) for row in rows] == [(n, "2") for n in range(3, 8)]
    result = run_command("gan", "predict", run, made / "seeds.txt", "--output", again)
    assert result.returncode == 0, result.stderr
    for row in rows:
        assert (made / row["image"]).read_bytes() == (again / row["image"]).read_bytes()
        with Image.open(made / row["image"]) as picture:
            assert (picture.size, picture.mode) == ((16, 16), "L")
    assert "pictures/seeds.txt/000005.png" in (made / "index.html").read_text()
    # The same command goes on; other seeds do not mix with these.
    assert run_command(*arguments, "--output", made, "--resume").returncode == 0
    other = run_command("gan", "sample", run, "--count", 2, "--output", made)
    assert other.returncode == 1 and "holds other pictures" in other.stderr
    wrong = run_command("gan", "sample", run, "--label", "9", "--output", tmp_path / "wrong")
    assert wrong.stderr == ("kerasuite: --label 9: is no class of the model; one of 0, 1, 2, 3\n")


def test_a_seed_has_the_same_picture_in_any_batch_and_as_noise(run):
    app = GANApp()
    opened = open_run(app, run)
    serving = GeneratorServing(load_best(app, opened), CLASSES)
    seeds, labels = tf.range(1, 31, dtype=tf.int64), tf.constant(["3"] * 30)
    together = serving.of_seeds(seed=seeds, label=labels)["image_bytes"].numpy()
    alone = serving.of_seeds(seed=seeds[16:17], label=labels[:1])["image_bytes"].numpy()
    difference = decoded(together[16]).astype(int) - decoded(alone[0])
    assert np.abs(difference).max() <= 1
    noise = noise_of_seeds(seeds, opened.config.model.latent_dim, "uniform")
    by_noise = serving.of_latents(latent=noise, label=labels)["image_bytes"].numpy()
    np.testing.assert_array_equal(together, by_noise)
    none = serving.of_seeds(seed=seeds[:0], label=labels[:0])["image_bytes"]
    assert none.shape == (0,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="none of 0, 1, 2, 3"):
        serving.of_seeds(seed=seeds[:1], label=tf.constant(["7"]))


def test_evaluate_compares_with_other_pictures(run, tmp_path):
    """Of other classes, which the classifier cannot name."""
    write_scenes(tmp_path / "scenes" / "landscape")
    result = run_command("gan", "evaluate", run, tmp_path / "scenes", "--samples", 12)
    assert result.returncode == 0, result.stderr
    metrics = json.loads((run / "evaluation" / "metrics.json").read_text())
    assert "classes_covered" not in metrics
    assert metrics["nearest_real"] > 0


def test_nan_names_the_losses_and_the_checkpoint(run, tmp_path):
    data = configs.load(GANConfig, run / "config.yaml").data
    broken = config(data, learning_rate=1e30)
    with pytest.raises(KerasuiteError, match="loss became nan.*last checkpoint is kept"):
        train(GANApp(), broken, tmp_path / "run")
