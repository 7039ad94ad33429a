"""Classification: data, loss, metrics, transfer, Grad-CAM, and one over-fit to the end."""

import io
import itertools
import json
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import f1_score, precision_score, recall_score

from apps.vision.classification import data, files
from apps.vision.classification.app import ClassifyApp
from apps.vision.classification.classifier import build_classifier
from apps.vision.classification.config import ClassifyConfig
from apps.vision.classification.evaluator import ClassificationEvaluator, accuracy_interval
from apps.vision.classification.explain import GradCam, explain_inputs
from apps.vision.classification.files import LabelledFile
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import Run, load_best, open_run
from shared.engine.training import train as training
from shared.engine.training.checkpoint_clock import CheckpointClock
from shared.engine.training.finish import write_evaluation
from shared.image import image_file
from shared.image.image_file import ImageFile
from shared.image.image_store import ImageStore
from shared.testing.app_test import read_history

SMALL = {"preset": "test"}


def config(**overrides) -> ClassifyConfig:
    return configs.resolve(ClassifyConfig, SMALL | overrides)


def labelled(counts: dict[str, int]) -> list[LabelledFile]:
    return [LabelledFile(f"{name}/{i}.jpg", name) for name, n in counts.items() for i in range(n)]


def write_images(folder: Path, counts: dict[str, int], side: int = 16) -> Path:
    """Every class has a colour of its own, every image its own noise."""
    generator = np.random.default_rng(3)
    for number, (label, count) in enumerate(counts.items()):
        (folder / label).mkdir(parents=True)
        colour = np.array([(number * 80) % 256, (number * 150) % 256, 128])
        for index in range(count):
            pixels = (colour + generator.normal(0, 30, (side, side, 3))).clip(0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{index}.png")
    return folder


# === Data ===


def test_split_is_stratified_and_its_folds_cover_everything_once():
    found = labelled({"a": 50, "b": 30, "c": 20})
    held_out = []
    for fold in range(5):
        split = files.split_files(found, 0.2, fold, seed=1)
        part = [file for file in split if file.split == "validation"]
        assert Counter(file.label for file in part) == {"a": 10, "b": 6, "c": 4}
        assert [file.path for file in split] == [file.path for file in found]
        held_out += [file.path for file in part]
    assert sorted(held_out) == sorted(file.path for file in found)


def test_a_small_class_does_not_change_the_split_of_the_others():
    """It has one image in the validation part of every fold."""
    for fold in range(10):
        split = files.split_files(labelled({"a": 100, "b": 2}), 0.1, fold, seed=1)
        part = Counter(file.label for file in split if file.split == "validation")
        assert part == {"a": 10, "b": 1}


def test_an_image_named_twice_is_used_once(tmp_path):
    write_images(tmp_path / "data", {"a": 3, "b": 3})
    again = [str(tmp_path / "data"), f"{tmp_path}/data/../data"]
    assert len(files.find_files(again)) == 6
    (tmp_path / "table.csv").write_text("path,label\ndata/a/0.png,b\n")
    with pytest.raises(KerasuiteError, match="named twice"):
        files.find_files([str(tmp_path / "data"), str(tmp_path / "table.csv")])


def test_a_folder_that_links_lead_to_belongs_to_every_class_that_has_one(tmp_path):
    write_images(tmp_path / "disk", {"pictures": 4})
    write_images(tmp_path / "data", {"cat": 2})
    (tmp_path / "data" / "cat" / "more").symlink_to(tmp_path / "disk" / "pictures")
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "disk" / "pictures")
    found = files.find_files([str(tmp_path / "data")])
    assert Counter(file.label for file in found) == {"cat": 6, "dog": 4}
    (line,) = files.linked_into_several_classes(found)
    assert line.startswith("4 image(s) are in several classes by links, as ")
    assert not files.linked_into_several_classes(found[:6])


def test_hidden_files_and_folders_are_no_data(tmp_path):
    write_images(tmp_path / "data", {"a": 2, "b": 2, ".cache": 2})
    write_images(tmp_path / "data" / "a" / ".thumbnails", {"x": 2})
    assert {file.label for file in files.find_files([str(tmp_path / "data")])} == {"a", "b"}
    assert len(files.find_files([str(tmp_path / "data")])) == 4


def test_split_depends_on_the_seed_only():
    found = labelled({"a": 20, "b": 20})
    assert files.split_files(found, 0.1, 0, 1) == files.split_files(found, 0.1, 0, 1)
    assert files.split_files(found, 0.1, 0, 1) != files.split_files(found, 0.1, 0, 2)


def test_a_fold_that_is_not_there():
    with pytest.raises(KerasuiteError, match="--fold 5"):
        files.split_files(labelled({"a": 9, "b": 9}), 0.2, 5, 1)


def test_the_datas_own_split_is_kept(tmp_path):
    for part in ("train", "val"):
        write_images(tmp_path / part, {"a": 3, "b": 2})
    split = files.split_files(files.find_files([str(tmp_path)]), 0.5, 0, 1)
    assert Counter(file.split for file in split) == {"train": 5, "validation": 5}
    for file in split:
        assert Path(file.path).parts[-3] == {"train": "train", "validation": "val"}[file.split]


def test_a_lone_train_folder_is_split(tmp_path):
    write_images(tmp_path / "train", {"a": 10, "b": 10})
    split = files.split_files(files.find_files([str(tmp_path)]), 0.2, 0, 1)
    assert Counter(file.split for file in split) == {"train": 16, "validation": 4}


def test_a_validation_class_that_is_never_trained():
    found = [
        LabelledFile("1", "a", split="train"),
        LabelledFile("2", "b", split="train"),
        LabelledFile("3", "c", split="validation"),
    ]
    with pytest.raises(KerasuiteError, match="class 'c'"):
        files.split_files(found, 0.1, 0, 1)


def test_csv_paths_are_relative_to_the_table(tmp_path):
    write_images(tmp_path / "images", {"x": 2, "y": 2})
    rows = ["path,label,split"] + [
        f"images/{label}/{index}.png,label {label},{split}"
        for label in "xy"
        for index, split in enumerate(("train", "val"))
    ]
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    found = files.find_files([str(tmp_path / "table.csv")])
    assert {file.label for file in found} == {"label x", "label y"}
    assert all(Path(file.path).is_file() for file in found)
    assert Counter(file.split for file in found) == {"train": 2, "validation": 2}


def test_list_of_files_survives_writing(tmp_path):
    found = [
        LabelledFile('/ü, "x"\n.jpg', "a,b", split="train", is_direct=False),
        LabelledFile("/y", "c", split="x"),
    ]
    image_file.write_images(found, tmp_path / "list")
    assert image_file.read_images(LabelledFile, tmp_path / "list") == found


@pytest.mark.parametrize("cache", ["memory", "off"])
def test_image_store_gives_the_pixels(tmp_path, cache):
    """Unequal sizes, and a TIFF that only Pillow reads."""
    arrays = [
        np.random.default_rng(i).integers(0, 256, (5 + i, 9 - i, 3), dtype=np.uint8)
        for i in range(3)
    ]
    paths = [tmp_path / name for name in ("a.png", "b.bmp", "c.tiff")]
    for array, path in zip(arrays, paths, strict=True):
        Image.fromarray(array).save(path)
    direct = zip(paths, (True, True, False), strict=True)
    store = ImageStore([ImageFile(str(p), is_direct=is_direct) for p, is_direct in direct], cache)
    loaded = tf.data.Dataset.range(3).map(store.load)
    for array, image in zip(arrays, loaded, strict=True):
        np.testing.assert_array_equal(image, array)


@pytest.mark.parametrize("mix", ["mixup", "cutmix", "none"])
def test_workers_share_the_global_batch(tmp_path, mix):
    """Two workers' parts, put together, are the batches of one worker."""
    write_images(tmp_path, {"a": 4, "b": 4})
    found = files.find_files([str(tmp_path)])
    overrides = {"augment.rotation": 20.0, "augment.brightness": 0.2}
    overrides |= {} if mix == "none" else {f"augment.{mix}": 1.0}
    store = ImageStore(found)
    targets = np.eye(2, dtype=np.float32)[[0] * 4 + [1] * 4]

    def batches(worker):
        dataset = data.training_dataset(store, targets, config(**overrides), 2, worker)
        return list(dataset.take(2))

    whole, parts = batches((0, 1)), [batches((0, 2)), batches((1, 2))]
    for step, field in itertools.product(range(2), range(2)):
        together = np.concatenate([part[step][field] for part in parts])
        np.testing.assert_array_equal(together, whole[step][field])


# === Loss and metrics ===


def softmax(logits):
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def test_loss_equals_its_definition():
    options = {"loss.label_smoothing": 0.2, "loss.l2": 0.01, "loss.l1": 0.001}
    model = build_classifier(config(**options), 3, class_weights=[1.0, 2.0, 0.5])
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6, 3)).astype("float32")
    targets = np.eye(3, dtype="float32")[generator.integers(0, 3, 6)]
    model(np.zeros((1, 16, 16, 3), "float32"))
    terms = model.compute_loss(y=targets, y_pred=logits, training=True)

    smooth = targets * 0.8 + 0.2 / 3
    losses = -(smooth * np.log(softmax(logits))).sum(-1) * (targets @ np.array([1.0, 2.0, 0.5]))
    assert float(terms["cross_entropy"]) == pytest.approx(losses.mean(), rel=1e-5)
    kernels = [np.asarray(w) for w in model.trainable_weights if "kernel" in w.path]
    penalty = sum(0.001 * np.abs(k).sum() + 0.01 * np.square(k).sum() for k in kernels)
    assert float(terms["penalty"]) == pytest.approx(penalty, rel=1e-4)


def test_smoothing_is_for_training_only():
    model = build_classifier(config(**{"loss.label_smoothing": 0.2}), 2)
    targets, logits = np.eye(2, dtype="float32"), np.array([[2.0, 0], [0, 1.0]], "float32")
    loss = model.compute_loss(y=targets, y_pred=logits, training=False)["cross_entropy"]
    expected = -np.log(softmax(logits)[[0, 1], [0, 1]]).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_saved_model_keeps_its_loss_and_averaging(tmp_path):
    options = config(**{"loss.label_smoothing": 0.2, "model.flip_average": True})
    model = build_classifier(options, 2, class_weights=[1.0, 2.0])
    model.save(tmp_path / "model.keras")
    revived = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert revived.loss_config == options.loss
    assert revived.flip_average and list(revived.class_weights) == [1.0, 2.0]
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    np.testing.assert_array_equal(revived(images), model(images))


def test_flip_average_is_the_mean_of_two_softmaxes():
    keras.utils.set_random_seed(1)
    plain = build_classifier(config(), 3)
    averaged = build_classifier(config(**{"model.flip_average": True}), 3)
    averaged.set_weights(plain.get_weights())
    images = np.random.default_rng(1).uniform(0, 255, (4, 16, 16, 3)).astype("float32")
    sides = [softmax(np.asarray(plain(x))) for x in (images, images[:, :, ::-1])]
    got = softmax(np.asarray(averaged(images, training=False)))
    np.testing.assert_allclose(got, sum(sides) / 2, atol=1e-5)
    training_mode = softmax(np.asarray(averaged(images, training=True)))
    assert np.abs(training_mode - got).max() > 1e-4


def test_metrics_equal_their_definitions(tmp_path):
    generator = np.random.default_rng(2)
    names = [f"c{i}" for i in range(7)]
    logits = generator.normal(size=(60, 7))
    targets = generator.integers(0, 7, 60)
    paths = []
    for index in range(60):
        paths.append(str(tmp_path / f"{index}.png"))
        Image.new("RGB", (3, 3)).save(paths[-1])
    evaluator = ClassificationEvaluator(names, paths)
    for part in (slice(0, 25), slice(25, 60)):
        evaluator.update((None, np.eye(7)[targets[part]]), logits[part])
    result = evaluator.result()
    predicted = logits.argmax(-1)
    assert result["accuracy"] == pytest.approx((predicted == targets).mean())
    order = np.argsort(-logits, axis=-1)[:, :5]
    assert result["top5"] == pytest.approx((order == targets[:, None]).any(-1).mean())
    f1 = []
    for label in range(7):
        hits = ((predicted == label) & (targets == label)).sum()
        f1.append(2 * hits / max((predicted == label).sum() + (targets == label).sum(), 1))
    assert result["f1"] == pytest.approx(np.mean(f1))
    report = evaluator.report(tmp_path / "run")
    matrix = np.zeros((7, 7), int)
    np.add.at(matrix, (targets, predicted), 1)
    assert report["confusion_matrix"] == matrix.tolist()
    assert (tmp_path / "run/plots/confusion.png").stat().st_size > 1000
    page = (tmp_path / "run/samples/mistakes.html").read_text()
    wrong = (predicted != targets).sum()
    assert f"{wrong} of 60" in page


@pytest.mark.parametrize(("right", "count"), [(17, 20), (20, 20), (0, 7), (960, 1000), (1, 1)])
def test_accuracy_interval_equals_wilsons_formula(right, count):
    z = 1.959963984540054
    share, spread = right / count, z**2 / count
    centre = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    low, high = accuracy_interval(right, count)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-9)
    assert 0 <= low < high <= 1


def test_a_few_images_are_said_to_tell_little(trained):
    """In metrics.json and on the model card, which also warns of it."""
    run = trained[1]
    metrics = json.loads((run.folder / "metrics.json").read_text())
    right = round(metrics["accuracy"] * metrics["images"])
    assert metrics["images"] == 2
    assert (metrics["accuracy_low"], metrics["accuracy_high"]) == accuracy_interval(right, 2)
    card = (run.folder / "README.md").read_text()
    assert f"| accuracy_low | {metrics['accuracy_low']:.4g} |" in card
    assert "`accuracy_low`" in card.partition("## Limits")[2]


def test_few_pictures_are_balanced_and_held_out_by_class():
    few = configs.resolve(ClassifyConfig, {"preset": "few"})
    assert few.loss.class_weights == "balanced"
    found = labelled({"cat": 72, "other": 137})
    split = files.split_files(found, few.data_options.validation_split, 0, few.seed)
    held_out = Counter(file.label for file in split if file.split == "validation")
    assert held_out == {"cat": 7, "other": 13}


def test_a_class_without_validation_images_is_left_out_of_the_means():
    """Against scikit-learn over the classes that are there; `c` is taken for one, never true."""
    targets, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 1, 1])
    evaluator = ClassificationEvaluator(["a", "b", "c"], [])
    evaluator.update((None, np.eye(3)[targets]), np.eye(3)[predicted])
    result = evaluator.result()
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        expected = score(targets, predicted, labels=[0, 1], average="macro")
        assert result[name] == pytest.approx(expected), name
    perfect = ClassificationEvaluator(["a", "b", "c"], [])
    perfect.update((None, np.eye(3)[targets]), np.eye(3)[targets])
    assert perfect.result() == dict.fromkeys(("accuracy", "precision", "recall", "f1"), 1.0)


def test_a_class_without_validation_images_is_named(tmp_path, capsys):
    write_images(tmp_path / "train", {"a": 3, "b": 3, "c": 3})
    write_images(tmp_path / "val", {"a": 2, "b": 2})
    contents, problems = ClassifyApp().check(config(data=(str(tmp_path),)))
    assert problems[0] == "classes without an image in the validation part: c"
    run = Run(config(data=(str(tmp_path),)), tmp_path / "run")
    run.folder.mkdir()
    app = ClassifyApp()
    app.prepare(run)
    warning = capsys.readouterr().err
    assert "no validation image of c; precision" in warning and warning.count("\n") == 1
    per_class = app.evaluator(run)
    per_class.update((None, np.eye(3)[[0, 0, 1, 1]]), np.eye(3)[[0, 0, 1, 1]])
    report = per_class.report(tmp_path / "run")["per_class"]
    assert report["c"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert report["a"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 2}


# === Training ===


def train(folder, images, **overrides) -> Run:
    resolved = config(**{"data": (str(images),), "epochs": 2, **overrides})
    return training.train(ClassifyApp(), resolved, folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(images, run) of one epoch on two colours, with balanced class weights."""
    folder = tmp_path_factory.mktemp("trained")
    images = write_images(folder / "data", {"a": 6, "b": 6})
    options = {"epochs": 1, "loss.class_weights": "balanced"}
    return images, train(folder / "run", images, **options)


def weights_of(run: Run, layer: str) -> np.ndarray:
    app = ClassifyApp()
    return np.asarray(load_best(app, open_run(app, run.folder)).get_layer(layer).weights[0])


def test_a_handful_of_images_is_learnt_by_heart(tmp_path):
    """The golden over-fit: every image of four colours gets its label, also when served."""
    images = write_images(tmp_path / "data", {"a": 12, "b": 12, "c": 12, "d": 12})
    options = {"epochs": 20, "learning_rate": 5e-3, "augment.crop": "none"}
    # The best epoch is the first that labels all held-out images: few of them say little.
    options["data_options.validation_split"] = 0.5
    run = train(tmp_path / "run", images, **options)
    assert json.loads((run.folder / "metrics.json").read_text())["accuracy"] == 1.0
    app = ClassifyApp()
    serving = app.serving(run, load_best(app, open_run(app, run.folder)))[""]
    paths = sorted(images.rglob("*.png"))
    answer = serving.classify(tf.constant([path.read_bytes() for path in paths]))
    labels = [label.decode() for label in answer["labels"][:, 0].numpy()]
    assert labels == [path.parent.name for path in paths]
    np.testing.assert_allclose(answer["probabilities"].numpy().sum(-1), 1, atol=1e-5)
    none = tf.function(serving.classify)(tf.constant([], tf.string))
    assert none["probabilities"].shape == (0, 4) and none["labels"].shape[0] == 0


def test_frozen_then_unfrozen(tmp_path, monkeypatch):
    # Each epoch ends with a checkpoint, however long the disk takes.
    monkeypatch.setattr(CheckpointClock, "is_cheap", lambda clock: True)
    images = write_images(tmp_path / "data", {"a": 6, "b": 6})
    run = train(tmp_path / "run", images, epochs=3, keep=3, **{"model.freeze_epochs": 1})
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    start = np.asarray(build_classifier(run.config, 2).get_layer("conv1").weights[0])
    assert read_history(run.folder)[-1]["epoch"] == 3
    kernels = []
    for state in sorted((run.folder / "checkpoints").glob("*.npz")):
        with np.load(state) as file:
            kernels.append(file[next(n for n in file.files if n.startswith("model/0000/"))])
    assert len(kernels) == 3
    np.testing.assert_array_equal(kernels[0], start)
    assert np.abs(kernels[-1] - start).max() > 1e-4


@pytest.mark.slow
def test_init_takes_the_backbone_of_another_task(trained, tmp_path):
    first = trained[1]
    images = write_images(tmp_path / "data", {"x": 4, "y": 4, "z": 4})
    options = {"init": str(first.folder), "epochs": 1, "learning_rate": 1e-12}
    second = train(tmp_path / "two", images, **options)
    np.testing.assert_allclose(weights_of(second, "conv1"), weights_of(first, "conv1"), atol=1e-6)
    with pytest.raises(KerasuiteError, match="--init"):
        train(tmp_path / "three", images, init=str(tmp_path / "nowhere"))


def test_evaluate_on_other_data(trained, tmp_path):
    images, run = trained
    app = ClassifyApp()
    opened = open_run(app, run.folder)
    app.replace_validation_data(opened, [str(images)])
    metrics = write_evaluation(app, opened, load_best(app, opened), "evaluation")
    assert sum(map(sum, metrics["confusion_matrix"])) == 12
    (images / "a" / "bad.png").write_bytes(b"bad")
    app.replace_validation_data(opened, [str(images)])
    assert "bad.png" in (run.folder / "evaluation" / "skipped.csv").read_text()
    (images / "a" / "bad.png").unlink()
    other = write_images(tmp_path / "other", {"a": 2, "zebra": 2})
    with pytest.raises(KerasuiteError, match="'zebra'"):
        app.replace_validation_data(opened, [str(other)])


# === Explanation ===


def test_grad_cam_equals_its_definition():
    """One linear layer on the feature map: the weights of the map are those of the layer."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((12, 12, 3))
    features = keras.layers.Conv2D(5, 3, activation="relu", name="features")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    dense = keras.layers.Dense(3)
    model = keras.Model(inputs, dense(pooled))
    image = tf.constant(np.random.default_rng(0).uniform(0, 1, (12, 12, 3)), tf.float32)
    heat, index, probability = GradCam(model)(image)
    maps = keras.Model(inputs, features)(image[None])[0].numpy()
    logits = model(image[None])[0].numpy()
    assert index == logits.argmax()
    assert probability == pytest.approx(softmax(logits)[index], rel=1e-5)
    expected = np.maximum(maps @ np.asarray(dense.kernel)[:, index], 0)
    np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-5)


def test_explanations_are_named_as_other_picture_results(trained, tmp_path):
    """NAME.png; with the first suffix too where two pictures differ in nothing else."""
    images, run = trained
    picture = Image.open(images / "a" / "0.png")
    for name in ("lone.jpg", "twice.jpg", "twice.png"):
        picture.save(tmp_path / name)
    explain_inputs(ClassifyApp(), run.folder, [str(tmp_path)], tmp_path / "out", "", 0)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["lone.png", "twice.jpg.png", "twice.png.png"]


def test_export_answers_a_keras_layer(trained, tmp_path, monkeypatch):
    """TFSMLayer reads the SavedModel; CMYK and rotated pictures are answered alike."""
    from shared.engine.saved_model.export import export

    # The common checks export classifiers with verification in a fresh process.
    monkeypatch.setattr("shared.engine.saved_model.export.verify", lambda jobs: None)
    images, run = trained
    app = ClassifyApp()
    model = load_best(app, open_run(app, run.folder))
    path = export(app, run, model, tmp_path / "saved_models")[""]
    layer = keras.layers.TFSMLayer(str(path), call_endpoint="serving_default")
    picture = Image.open(images / "a" / "0.png").resize((33, 21))
    encoded = []
    for mode, orientation in (("RGB", 1), ("CMYK", 1), ("RGB", 6)):
        out, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = orientation
        turned = picture if orientation == 1 else picture.transpose(Image.Transpose.ROTATE_90)
        turned.convert(mode).save(out, "JPEG", quality=100, subsampling=0, exif=exif)
        encoded.append(out.getvalue())
    answer = layer(tf.constant(encoded))
    probabilities = answer["probabilities"].numpy()
    np.testing.assert_allclose(probabilities[2], probabilities[0], atol=0.02)
    assert answer["labels"].shape == (3, 2)
