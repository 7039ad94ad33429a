"""Distillation from the command line: stages, resume, devices, bad options."""

import json

import numpy as np
import pytest

from apps.bert.distillation.app import DistillApp
from apps.bert.finetuning.app import FinetuneApp
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.distribution.devices import available_cores
from shared.engine.run import load_best, open_run
from shared.engine.training.checkpoint import STATE_KEY
from shared.engine.training.history import read_csv
from shared.engine.training.train import train
from shared.testing.app_test import (
    AppCase,
    expect_success,
    half_losses,
    kerasuite,
    run_killed_training_test,
    step_losses,
)
from tests.apps.app_cases import write_lines, write_sentences
from tests.apps.bert.distillation.runs import write_untrained_run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences"))


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "run"
    return write_untrained_run(FinetuneApp(), folder, data=tuple(data))


@pytest.fixture(scope="module")
def student(data, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("student") / "run"
    expect_success(kerasuite(*case(teacher).training(data, folder)))
    return folder


def case(teacher):
    return AppCase(
        "bert",
        "apps.bert.distillation.app:DistillApp",
        write_sentences,
        write_lines,
        verb="distill",
        options=("--teacher", str(teacher)),
    )


def test_layers_come_first_and_predictions_after(student):
    first, second = read_csv(student / "history.csv")
    terms = {"embedding", "hidden", "attention"}
    assert terms <= first.keys() and not terms & second.keys()
    # The head of the first epoch is untrained, whatever it scores.
    state = max((student / "checkpoints").glob("step-*.npz"))
    with np.load(state) as file:
        assert json.loads(bytes(file[STATE_KEY]))["best_epoch"] == 2
    # The predictions are the only term then: at most the logarithm of two classes, about.
    assert 0 < second["loss"] < 1.0


def test_a_student_is_evaluated_and_exported_without_its_teacher(student, teacher, tmp_path):
    hidden = teacher.with_name("away")
    teacher.rename(hidden)
    try:
        expect_success(kerasuite("bert", "evaluate", student))
        done = kerasuite("bert", "export", student, "--output", tmp_path)
        expect_success(done)
    finally:
        hidden.rename(teacher)
    assert (tmp_path / "bert-distill" / "run" / "1" / "saved_model.pb").is_file()


def test_killed_and_resumed_distillation_is_bit_identical(data, teacher, student, tmp_path):
    run_killed_training_test(case(teacher), data, student, tmp_path / "run")


def write_tags(folder):
    """Sentences of 1 to 9 words, so that the rows of a batch have different numbers of tags."""
    path = folder / "train.conll"
    sentences = ("\n".join(f"w{k} {'B-LOC' if k % 3 else 'O'}" for k in range(1 + n % 9))
                 for n in range(28))  # fmt: skip
    path.write_text("\n\n".join(sentences) + "\n")
    return [str(path)]


def write_choices(folder):
    """Beginnings with three endings each, in SWAG's columns."""
    header = "startphrase,sent2,ending0,ending1,ending2,label\n"
    rows = (f"begin {n},then,{'good ' * (n % 4)}end,other end,last,{n % 3}\n" for n in range(28))
    path = folder / "train.csv"
    path.write_text(header + "".join(rows))
    return [str(path)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "write",
    [
        write_sentences,
        write_tags,
        write_choices,
    ],
)
def test_two_devices_and_two_halves_agree_with_one(tmp_path, write):
    data = write(tmp_path)
    teacher = write_untrained_run(FinetuneApp(), tmp_path / "teacher", data=tuple(data))
    options = {"set": f"transfer.teacher={teacher}"}
    one = step_losses(case(teacher), data, 7, "single", **options)
    two = step_losses(case(teacher), data, 7, "mirrored", devices="cpu:2", **options)
    np.testing.assert_allclose(two, one, rtol=2e-4)
    if available_cores() > 1:
        halves = half_losses(case(teacher), data, 7, **options)
        np.testing.assert_allclose(halves, one, rtol=2e-4)


@pytest.mark.parametrize("write", [write_tags, pytest.param(write_choices, marks=pytest.mark.slow)])
def test_other_tasks_are_distilled(tmp_path, write):
    """With and without a cache; the losses are the same."""
    data = write(tmp_path)
    teacher = write_untrained_run(FinetuneApp(), tmp_path / "teacher", data=tuple(data))
    histories = []
    for cached in (False, True):
        given = overrides(data, teacher, **{"transfer.cache_teacher": cached})
        run = tmp_path / f"cached-{cached}"
        train(DistillApp(), configs.resolve(DistillApp.config_class, given), run)
        histories.append(read_csv(run / "history.csv"))
    for asked, kept in zip(*histories, strict=True):
        assert asked["loss"] > 0
        assert kept["loss"] == pytest.approx(asked["loss"], rel=1e-3)


def overrides(data, teacher, **more):
    return {"preset": "test", "data": tuple(data), "transfer.teacher": str(teacher), **more}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"transfer.teacher": ""}, "--teacher: name the fine-tuned run"),
        ({"transfer.teacher": "nowhere"}, "--teacher nowhere: is no fine-tuned run"),
        ({"transfer.intermediate_epochs": 2}, "--intermediate-epochs 2: leaves none of 2 epochs"),
        ({"encoder.num_layers": 5}, "--num-layers 5: the teacher has 2"),
        (
            {"transfer.patient_weight": 1.0, "encoder.num_layers": 1}
            | {f"transfer.{name}_weight": 0.0 for name in ("embedding", "hidden", "attention")},
            "--patient-weight 1: .* the student has none",
        ),
    ],
)
def test_bad_options(data, teacher, tmp_path, more, message):
    config = configs.resolve(DistillApp.config_class, overrides(data, teacher, **more))
    with pytest.raises(KerasuiteError, match=message):
        train(DistillApp(), config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_teacher_of_another_task(teacher, tmp_path):
    scores = tmp_path / "scores.tsv"
    scores.write_text("sentence\tscore\n" + "".join(f"text {n}\t{n}.5\n" for n in range(20)))
    given = overrides([str(scores)], teacher)
    with pytest.raises(KerasuiteError, match="learnt classification, the data are for regression"):
        train(DistillApp(), configs.resolve(DistillApp.config_class, given), tmp_path / "run")


def test_a_student_learns_its_teacher(data, teacher, tmp_path):
    """Golden: both stages lower what they are for, and only that."""
    given = overrides(
        data, teacher, epochs=30, learning_rate=5e-3, validate_every=30,
    ) | {"transfer.intermediate_epochs": 15}  # fmt: skip
    train(DistillApp(), configs.resolve(DistillApp.config_class, given), tmp_path / "run")
    rows = read_csv(tmp_path / "run" / "history.csv")
    for name in ("embedding", "hidden", "attention"):
        assert rows[14][name] < 0.7 * rows[0][name]
    app = DistillApp()
    run = open_run(app, tmp_path / "run")
    model = load_best(app, run)
    config = model.encoder.config
    assert (config.num_layers, config.hidden_dim) == (1, 12)
    assert rows[29]["loss"] < rows[15]["loss"]
