"""General distillation: the layers of a pretrained encoder, learnt on plain text."""

import shutil

import numpy as np
import pytest

from apps.bert.distillation.app import DistillApp
from apps.bert.distillation.general.app import GeneralDistillApp
from apps.bert.finetuning.app import FinetuneApp
from apps.bert.pretraining.app import PretrainApp
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import Run, load_best, open_run, read_metrics
from shared.engine.training.card import card_text
from shared.engine.training.evaluate import evaluate
from shared.engine.training.history import read_csv
from shared.engine.training.train import train
from shared.testing.app_test import (
    AppCase,
    expect_success,
    kerasuite,
    read_lines,
    run_killed_training_test,
    step_losses,
)
from tests.apps.app_cases import write_corpus, write_lines, write_sentences
from tests.apps.bert.distillation.runs import write_untrained_run

LOSSES = ("embedding", "hidden", "attention")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences"))


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "run"
    return write_untrained_run(PretrainApp(), folder, data=tuple(data))


def config_of(data, teacher, **more):
    values = {"preset": "test", "data": tuple(data), "transfer.teacher": str(teacher)}
    return configs.resolve(GeneralDistillApp.config_class, values | more)


@pytest.fixture(scope="module")
def student(data, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("student") / "run"
    train(GeneralDistillApp(), config_of(data, teacher), folder)
    return folder


def test_the_layers_are_learnt(student):
    first, last = read_csv(student / "history.csv")
    for name in ("loss", *LOSSES):
        assert 0 < last[name] < first[name]
        assert 0 < last[f"val_{name}"] < first[f"val_{name}"]
    metrics = read_metrics(student)
    assert metrics["loss"] == pytest.approx(last["val_loss"], rel=1e-5)
    assert metrics["loss"] == pytest.approx(sum(metrics[name] for name in LOSSES), rel=1e-5)
    assert metrics["word_pieces"] > metrics["sequences"] > 0


def test_the_teacher_sees_plain_text(student):
    app = GeneralDistillApp()
    run = open_run(app, student)
    for split in ("train", "validation"):
        x, y = next(iter(app.dataset(run, split)))
        assert x.keys() == {"token_ids", "segment_ids"} and y.keys() == {"next"}
        assert app.tokenizer.mask not in x["token_ids"].numpy()
        assert 1 in x["segment_ids"].numpy()


@pytest.mark.parametrize("make", ["finetune", "distill"])
def test_a_student_of_a_task_starts_from_it(make, student, sentences, tmp_path):
    values = {"preset": "test", "data": tuple(sentences), "init": str(student)}
    app = FinetuneApp()
    if make == "distill":
        app = DistillApp()
        task = {"data": tuple(sentences), "init": str(student)}
        fine_tuned = write_untrained_run(FinetuneApp(), tmp_path / "teacher", **task)
        values["transfer.teacher"] = str(fine_tuned)
    run = Run(configs.resolve(app.config_class, values), tmp_path / "run")
    run.folder.mkdir()
    app.prepare(run)
    model = app.build(run)
    app.init_weights(run, model)
    student_app = GeneralDistillApp()
    general = load_best(student_app, open_run(student_app, student))
    config = model.encoder.config
    assert (config.num_layers, config.hidden_dim) == (1, 12)
    for ours, theirs in zip(model.encoder.weights, general.encoder.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (run.folder / "vocab.txt").read_bytes() == (student / "vocab.txt").read_bytes()


def test_it_is_served_without_its_teacher_and_not_evaluated(student, teacher, tmp_path):
    away = teacher.with_name("away")
    teacher.rename(away)
    try:
        app = GeneralDistillApp()
        run = open_run(app, student)
        model = load_best(app, run)
        found = app.serving(run, model)[""].vectors(["the police", "a fire"])
        assert found["embedding"].shape == (2, 12)
        with pytest.raises(KerasuiteError, match="--teacher .*: is gone; put the run back"):
            evaluate(app, run, model)
    finally:
        away.rename(teacher)


def test_other_text_is_evaluated(student, data, tmp_path):
    text = tmp_path / "more.txt"
    text.write_text("the police went south\na fire burned\n\n" * 20)
    app = GeneralDistillApp()
    run = open_run(app, student)
    app.replace_validation_data(run, [str(text)])
    metrics, _ = evaluate(app, run, load_best(app, run))
    assert metrics["loss"] != pytest.approx(read_metrics(student)["loss"], rel=1e-3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"transfer.teacher": ""}, "--teacher: name the pretrained run"),
        ({"transfer.teacher": "nowhere"}, "--teacher nowhere: is no pretrained run; make one with"),
        ({"encoder.num_layers": 5}, "--num-layers 5: the teacher has 2"),
        ({"encoder.num_heads": 4}, "--num-heads 4: layer 2 of the teacher has 2"),
        ({"encoder.max_positions": 16}, "--sequence-length 32: the student has 16 positions"),
        (
            {f"transfer.{name}_weight": 0.0 for name in LOSSES},
            "--hidden-weight 0: nothing is learnt from the layers",
        ),
    ],
)
def test_bad_options(data, teacher, tmp_path, more, message):
    with pytest.raises(KerasuiteError, match=message):
        train(GeneralDistillApp(), config_of(data, teacher, **more), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_numbers_of_heads_without_attention(data, teacher, tmp_path):
    more = {"encoder.num_heads": 4, "transfer.attention_weight": 0.0}
    run = Run(config_of(data, teacher, **more), tmp_path)
    GeneralDistillApp().prepare(run)
    assert run.artifacts["layer_mapping"] == [2]


def test_a_projection_that_only_the_widths_require_is_said(data, teacher, tmp_path, capsys):
    for width, projected in ((16, []), (12, ["cosine"])):
        losses = {f"transfer.{name}_weight": 0.0 for name in LOSSES}
        more = losses | {"transfer.cosine_weight": 1.0, "encoder.hidden_dim": width}
        run = Run(config_of(data, teacher, **more), tmp_path / str(width))
        run.folder.mkdir()
        GeneralDistillApp().prepare(run)
        assert run.artifacts["projected_losses"] == projected
        said = "--cosine-weight: the student is 12 wide, the teacher 16" in capsys.readouterr().err
        assert said == bool(projected)
    assert "| projected losses | 1 (cosine) |" in card_text(GeneralDistillApp(), run, {})


def test_a_fine_tuned_teacher_is_for_the_task(sentences, data, tmp_path):
    fine_tuned = write_untrained_run(FinetuneApp(), tmp_path / "teacher", data=tuple(sentences))
    with pytest.raises(KerasuiteError, match="is no pretrained run"):
        train(GeneralDistillApp(), config_of(data, fine_tuned), tmp_path / "run")


# === In processes of their own ===


def case(teacher):
    return AppCase(
        "bert",
        "apps.bert.distillation.general.app:GeneralDistillApp",
        write_corpus,
        write_lines,
        verb="distill-general",
        predict_verb="embed",
        options=("--teacher", str(teacher)),
    )


@pytest.mark.slow
def test_killed_and_resumed_distillation_is_bit_identical(data, teacher, tmp_path):
    whole = tmp_path / "whole"
    expect_success(kerasuite(*case(teacher).training(data, whole)))
    run_killed_training_test(case(teacher), data, whole, tmp_path / "run")


@pytest.mark.slow
def test_two_devices_agree_with_one(data, teacher):
    options = {"set": f"transfer.teacher={teacher}"}
    one = step_losses(case(teacher), data, 7, "single", **options)
    two = step_losses(case(teacher), data, 7, "mirrored", devices="cpu:2", **options)
    np.testing.assert_allclose(two, one, rtol=2e-4)


@pytest.mark.slow
def test_commands_know_it(student, data, tmp_path):
    """Evaluation is that of the training; vectors, and a folder for transformers, come out."""
    run = tmp_path / "run"
    shutil.copytree(student, run)
    expect_success(kerasuite("bert", "evaluate", run))
    assert read_metrics(run) == pytest.approx(read_metrics(student), rel=1e-5)
    expect_success(kerasuite("bert", "embed", run, *data, "--output", tmp_path / "vectors"))
    assert len(read_lines(tmp_path / "vectors" / "predictions.jsonl")) == 16
    expect_success(kerasuite("bert", "export-hf", run, "--output", tmp_path / "hf"))
    assert (tmp_path / "hf" / "model.safetensors").is_file()
