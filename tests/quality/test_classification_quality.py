"""Trainings of classification on real data against their floors: `make quality`."""

import json
import statistics
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite, read_history
from tests.quality.results import write_result

pytestmark = pytest.mark.quality


def train(data, folder, *options):
    """(accuracy, seconds) of a training from the command line.

    The accuracy is the last epoch's, not the best epoch's in metrics.json: choosing an epoch
    by the images that it is then scored on would flatter it.
    """
    started = time.perf_counter()
    expect_success(kerasuite("classify", "train", data, "--output", folder, *options, timeout=7200))
    seconds = time.perf_counter() - started
    return read_history(folder)[-1]["val_accuracy"], seconds


def test_cifar10_from_scratch(real_data, tmp_path):
    """1,000 images a class, a tenth held out: at least 75 % in under 40 minutes."""
    accuracy, seconds = train(real_data / "cifar10", tmp_path / "run", "--preset", "cifar")
    print(f"\ncifar10: accuracy {accuracy:.4f} in {seconds / 60:.1f} minutes")
    write_result(
        "classify-cifar10", "kerasuite classify train cifar10 --preset cifar",
        "CIFAR-10, 1,000 images a class, a tenth held out", "accuracy", f"{accuracy:.3f}", seconds,
    )  # fmt: skip
    assert accuracy >= 0.75
    assert seconds < 40 * 60


def test_cat_or_not_over_five_folds(real_data, tmp_path):
    """209 images of 64x64 pixels: mean of five folds at least 80 %, also of both classes alike.

    A third of them are cats; where most are, the recall of cats decides on the accuracy.
    """
    scores, recalls, total = [], [], 0.0
    for fold in range(5):
        options = ("--preset", "few", "--validation-split", "0.2", "--fold", fold)
        accuracy, seconds = train(real_data / "cat_noncat", tmp_path / str(fold), *options)
        scores.append(accuracy)
        total += seconds
        recalls.append(read_history(tmp_path / str(fold))[-1]["val_recall"])
        print(f"\ncat_noncat fold {fold}: accuracy {accuracy:.4f} in {seconds:.0f} s")
    mean, recall = statistics.mean(scores), statistics.mean(recalls)
    print(f"cat_noncat: mean of five folds {mean:.4f}, of the classes' recalls {recall:.4f}")
    write_result(
        "classify-cat-noncat",
        "kerasuite classify train cat_noncat --preset few --validation-split 0.2 --fold 0",
        "209 pictures of 64 x 64 pixels, cat or not", "accuracy, mean of five folds",
        f"{mean:.3f}", total,
    )  # fmt: skip
    assert mean >= 0.80 and recall >= 0.80


def test_photographs_train_export_predict(real_data, tmp_path):
    """Large, unequal JPEGs go the whole way."""
    data = real_data / "ants_bees_cats_dogs"
    accuracy, seconds = train(
        data, tmp_path / "run", "--preset", "few", "--image-size", "96", "--epochs", "8"
    )
    print(f"\nants_bees_cats_dogs: accuracy {accuracy:.4f} in {seconds:.0f} s")
    write_result(
        "classify-ants-bees-cats-dogs",
        "kerasuite classify train ants_bees_cats_dogs --preset few --image-size 96 --epochs 8",
        "photographs of four classes, from scratch", "accuracy", f"{accuracy:.3f}", seconds,
    )  # fmt: skip
    assert accuracy > 0.3  # four classes
    root = tmp_path / "saved_models"
    expect_success(kerasuite("classify", "export", tmp_path / "run", "--output", root))
    output = tmp_path / "predictions"
    expect_success(
        kerasuite("classify", "predict", root / "classify/run", data, "--output", output)
    )
    rows = [json.loads(line) for line in (output / "predictions.jsonl").open()]
    assert len(rows) == sum(1 for path in data.rglob("*") if path.is_file())
