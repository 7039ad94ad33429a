"""Teacher outputs on disk: what is read is what the teacher says, and nobody asks it again."""

import shutil
from collections import namedtuple

import numpy as np
import pytest
import tensorflow as tf

from apps.bert.distillation import app as distill_app
from apps.bert.distillation.app import TEACHER_OUTPUTS, DistillApp
from apps.bert.distillation.config import TransferConfig
from apps.bert.distillation.layer_transfer import needed_outputs
from apps.bert.distillation.ragged_layout import RaggedLayout
from apps.bert.distillation.teacher import Teacher
from apps.bert.distillation.teacher_outputs import (
    DistillationExamples,
    TeacherOutputs,
    planned_outputs,
    write_outputs,
)
from apps.bert.encoder_config import TEST_ENCODER, EncoderConfig
from apps.bert.finetuning.app import FinetuneApp
from apps.bert.finetuning.config import HeadConfig
from apps.bert.finetuning.features import Features, PackedRows
from apps.bert.finetuning.fine_tuner import FineTuner
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.distribution.strategy import set_up
from shared.engine.run import Run
from shared.engine.training.history import read_csv
from shared.engine.training.train import Trainer, prepare, train
from shared.testing.app_test import (
    AppCase,
    expect_success,
    kerasuite,
    run_killed_training_test,
    step_losses,
)
from shared.text.sentences import Sentences
from tests.apps.app_cases import write_lines, write_sentences
from tests.apps.bert.distillation.runs import write_untrained_run

# float16 has eleven binary digits.
HALF = {"rtol": 1e-3, "atol": 1e-3}


def test_ragged_rows_come_back_padded(tmp_path):
    layout = RaggedLayout(np.array([2, 0, 3]), (2, None, None), "float16", padding=-1.0)
    batch = np.random.default_rng(0).normal(size=(3, 2, 3, 3)).astype("float16")
    with open(tmp_path / "rows", "wb") as file:
        layout.write(file, [2, 0, 1], batch[[2, 0, 1]])
    assert (tmp_path / "rows").stat().st_size == layout.nbytes == 2 * 2 * (4 + 0 + 9)
    numbers = np.memmap(tmp_path / "rows", "float16", mode="r")
    found = layout.padded(numbers, np.array([0, 2]))
    np.testing.assert_array_equal(found[1], batch[2])
    np.testing.assert_array_equal(found[0, :, :2, :2], batch[0, :, :2, :2])
    assert (found[0, :, 2] == -1).all() and (found[0, :, :, 2] == -1).all()
    assert layout.empty(4).shape == (4, 2, 0, 0)


def features_of(task_type, generator, choices=1):
    """Rows [CLS] a [SEP] b [SEP] of unequal lengths."""
    count = 5 * choices
    rows = [generator.integers(5, 30, n).astype(np.int32) for n in generator.integers(6, 14, count)]
    packed = PackedRows(Sentences.of(rows), np.array([len(row) // 2 for row in rows], np.int32))
    labels = Sentences.of(rows) if task_type == "tagging" else np.zeros(5, np.int32)
    return Features(packed, labels, choices)


@pytest.mark.parametrize("task_type", ["classification", "choice", "tagging", "question-answering"])
def test_what_is_read_is_what_the_teacher_says(task_type, tmp_path):
    generator = np.random.default_rng(0)
    features = features_of(task_type, generator, 3 if task_type == "choice" else 1)
    encoder = EncoderConfig(**TEST_ENCODER)
    outputs_of_head = {"choice": 1, "question-answering": 2}.get(task_type, 4)
    model = FineTuner(
        encoder, HeadConfig(pooling="mean", head_dropout=0.0), 30, task_type, outputs_of_head
    )
    model.build()
    teacher = Teacher(lambda: model)
    needed = needed_outputs(TransferConfig(patient_weight=1.0, cosine_weight=1.0), [1, 2])
    planned = planned_outputs(features, task_type, outputs_of_head, encoder, needed)
    write_outputs(planned, teacher, needed, tmp_path / "outputs")
    kept = [file for file in (tmp_path / "outputs").iterdir() if not file.suffix]
    assert planned.nbytes == sum(file.stat().st_size for file in kept)
    chosen = np.array([4, 0, 2])
    examples = DistillationExamples(TeacherOutputs.load(tmp_path / "outputs", features), True)
    x, y = examples.batch(chosen)
    tf.nest.map_structure(
        lambda spec, array: spec.shape.assert_is_compatible_with(array.shape),
        examples.batch_spec(), (x, y),
    )  # fmt: skip
    real = x["token_ids"] != 0
    real = real.reshape(-1, real.shape[-1])
    for name, value in teacher(x, needed).items():
        found, value = y["teacher"][name], np.array(value)
        if name == "logits":
            # Nothing reads the tags of padding.
            inside = real if task_type == "tagging" else ...
            np.testing.assert_allclose(found[inside], value[inside], rtol=1e-5, atol=1e-6)
            continue
        assert found.dtype == np.float16
        found = found.reshape(value.shape)
        if name.startswith("attention"):
            both = real[:, None, :, None] & real[:, None, None, :]
            found, value = found * both, value * both
        elif name.startswith("hidden"):
            found, value = found[real], value[real]
        np.testing.assert_allclose(found, value, **HALF)
    damaged = tmp_path / "outputs" / "logits"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    with pytest.raises(KerasuiteError, match="logits: is damaged .* remove .*outputs and --resume"):
        TeacherOutputs.load(tmp_path / "outputs", features)


# === As part of a training ===


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences"))


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "run"
    return write_untrained_run(FinetuneApp(), folder, data=tuple(data))


def config_of(data, teacher, cached, **more):
    values = {
        "preset": "test",
        "data": tuple(data),
        "transfer.teacher": str(teacher),
        "transfer.cache_teacher": cached,
    }
    return configs.resolve(DistillApp.config_class, values | more)


def fit(config, folder):
    app, run = DistillApp(), Run(config, folder, strategy=set_up(config))
    prepare(app, run)
    Trainer(app, run).fit()


@pytest.fixture(scope="module")
def student(data, teacher, tmp_path_factory):
    """Killed after its preparation, and then continued without its teacher."""
    folder, away = tmp_path_factory.mktemp("student") / "run", teacher.with_name("away")
    config = config_of(data, teacher, True)
    prepare(DistillApp(), Run(config, folder, strategy=set_up(config)))
    teacher.rename(away)
    try:
        fit(config, folder)
    finally:
        away.rename(teacher)
    return folder


@pytest.mark.slow
def test_losses_are_those_without_a_cache(data, teacher, student, tmp_path):
    """Both stages: the first learns the layers, the second the predictions."""
    fit(config_of(data, teacher, False), tmp_path / "run")
    kept, asked = (read_csv(folder / "history.csv") for folder in (student, tmp_path / "run"))
    assert kept[0].keys() == asked[0].keys() and "attention" in kept[0]
    for one, two in zip(kept, asked, strict=True):
        for name in one:
            np.testing.assert_allclose(one[name], two[name], rtol=1e-3, err_msg=name)


def test_the_student_begins_as_without_a_cache(data, teacher, tmp_path):
    """Though another model was in the process before it."""
    weights = {}
    for cached in (True, False):
        config = config_of(data, teacher, cached)
        app, run = DistillApp(), Run(config, tmp_path / str(cached), strategy=set_up(config))
        prepare(app, run)
        weights[cached] = {weight.path: np.array(weight) for weight in app.build(run).weights}
    assert weights[True].keys() == weights[False].keys()
    for path, value in weights[True].items():
        np.testing.assert_array_equal(value, weights[False][path], err_msg=path)


def test_batches_bring_layers_only_where_they_are_learnt(data, student):
    app = DistillApp()
    run = Run(configs.load(DistillApp.config_class, student / "config.yaml"), student)
    run.load_artifacts()
    app.prepare(run)
    steps = app.steps_per_epoch(run)
    batches = list(app.dataset(run, "train").take(steps + 1))
    for step, (x, y) in enumerate(batches):
        length = x["token_ids"].shape[1] if step < steps else 0
        assert y["teacher"]["hidden_2"].shape[1:] == (length, 16)
    (resumed, _), (x, _) = next(iter(app.dataset(run, "train", steps))), batches[steps]
    np.testing.assert_array_equal(resumed["token_ids"], x["token_ids"])


def test_outputs_of_a_killed_preparation_are_used(student, tmp_path, monkeypatch):
    """The folder is complete as soon as it is there, what else is lost."""
    folder = tmp_path / "run"
    shutil.copytree(student, folder)
    run = Run(configs.load(DistillApp.config_class, folder / "config.yaml"), folder)
    run.load_artifacts()
    size = run.artifacts.pop("teacher_outputs_bytes")
    monkeypatch.setattr(distill_app, "write_outputs", None)
    DistillApp().prepare(run)
    assert run.artifacts["teacher_outputs_bytes"] == size
    kept = (folder / TEACHER_OUTPUTS).iterdir()
    assert size == sum(path.stat().st_size for path in kept if not path.suffix)


def test_a_full_disk_is_told_beforehand(data, teacher, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(0, 0, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(KerasuiteError, match="has 0 MB free; .*leave out --cache-teacher"):
        train(DistillApp(), config_of(data, teacher, True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_killed_and_resumed_with_a_cache(data, teacher, tmp_path):
    expect_success(kerasuite(*case(teacher).training(data, tmp_path / "whole")))
    run_killed_training_test(case(teacher), data, tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
def test_two_devices_agree_with_one(data, teacher):
    settings = "transfer.cache_teacher=true"
    one = step_losses(case(teacher), [*data, "--set", settings], 7, "single", **teacher_of(teacher))
    two = step_losses(
        case(teacher), [*data, "--set", settings], 7, "mirrored", devices="cpu:2",
        **teacher_of(teacher),
    )  # fmt: skip
    np.testing.assert_allclose(two, one, rtol=2e-4)


def teacher_of(folder):
    return {"set": f"transfer.teacher={folder}"}


def case(teacher):
    return AppCase(
        "bert",
        "apps.bert.distillation.app:DistillApp",
        write_sentences,
        write_lines,
        verb="distill",
        options=("--teacher", str(teacher), "--cache-teacher"),
    )
