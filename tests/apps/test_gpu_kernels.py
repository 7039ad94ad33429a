"""Every operation of every task's training step has a GPU kernel; traced, never run."""

import dataclasses

import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the operations of tokenizers)

from apps.bert.finetuning.app import FinetuneApp
from apps.bert.pretraining.app import PretrainApp
from shared.common import config as configs
from shared.common.option_use import is_in
from shared.engine.distribution import replicas
from shared.engine.load_app import load_app
from shared.testing.app_test import AppCase
from shared.testing.gpu_kernels import without_gpu_kernel
from shared.testing.strategy_losses import first_step
from tests.apps.app_cases import CASES, write_corpus, write_lines, write_sentences
from tests.apps.bert.distillation.runs import write_untrained_run


def variant(name: str, **settings) -> AppCase:
    """A case with other settings; "__" stands for the dot of a leaf."""
    given = {leaf.replace("__", "."): value for leaf, value in settings.items()}
    return dataclasses.replace(CASES[name], settings={**CASES[name].settings, **given})


STEPS = {
    **CASES,
    "embed-cbow": variant("embed", model__algorithm="cbow"),
    "embed-hierarchical": variant("embed", model__loss="hierarchical-softmax"),
    "translate-recurrent": variant("translate", model__architecture="recurrent"),
    "translate-gru": variant(
        "translate", model__architecture="recurrent", model__cell="gru", model__attention="additive"
    ),
    "lm-rnn": variant("lm", model__architecture="rnn"),
    "lm-lstm": variant("lm", model__architecture="lstm"),
    "lm-rotary": variant("lm", model__positions="rotary"),
    "table-resnet": dataclasses.replace(
        CASES["table"],
        settings={"data_options.target": "class", "model.architecture": "resnet"},
    ),
    "forecast-lstm": variant("forecast", model__architecture="lstm", model__decoding="direct"),
    "forecast-nlinear": dataclasses.replace(
        CASES["forecast"],
        settings={"data_options.series": "shop", "model.architecture": "nlinear"},
    ),
    "autoencoder-denoising": variant(
        "autoencoder", model__kind="denoising", loss__likelihood="gaussian"
    ),
    "srgan-pixel": variant("srgan", stage="pixel"),
    "gan-clip": variant("gan", objective__constraint="clip", model__architecture="mlp"),
    "cyclegan-wasserstein": variant("cyclegan", loss__adversarial="wasserstein"),
    "bert-distill": AppCase(
        "bert", "apps.bert.distillation.app:DistillApp", write_sentences, write_lines
    ),
    "bert-distill-general": AppCase(
        "bert", "apps.bert.distillation.general.app:GeneralDistillApp", write_corpus, write_lines
    ),
}
# The leaf that names the teacher, and what trains one.
TEACHERS = {
    "bert-distill": ("transfer.teacher", FinetuneApp),
    "bert-distill-general": ("transfer.teacher", PretrainApp),
}
# The others take longer to trace.
FAST = {
    "embed",
    "embed-glove",
    "translate",
    "lm",
    "table",
    "forecast-nlinear",
    "autoencoder",
    "autoencoder-sparse",
    "bert-finetune",
    "bert-pretrain",
    "srgan-pixel",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in STEPS],
)
def test_every_operation_of_a_step_has_a_gpu_kernel(name, tmp_path):
    case = STEPS[name]
    data = tuple(case.write_data(tmp_path / "data"))
    given = {"preset": "test", "data": data, **case.settings}
    app = load_app(case.import_path)
    if not is_in("optimization.clip_norm", app.config_class.absent):
        given.setdefault("optimization.clip_norm", 1.0)
    if name in TEACHERS:
        leaf, teacher = TEACHERS[name]
        given[leaf] = str(write_untrained_run(teacher(), tmp_path / "teacher", data=data))
    config = configs.resolve(app.config_class, given)
    (tmp_path / "run").mkdir()
    run, step, dataset = first_step(app, config, tmp_path / "run")
    batch = replicas.split(run.strategy, next(iter(dataset)))
    assert without_gpu_kernel(step.get_concrete_function(batch).graph) == set()


def test_operations_without_a_gpu_kernel_are_found_in_nested_functions():
    @tf.function
    def reads(data):
        return tf.reduce_sum(tf.io.decode_raw(data, tf.int32))

    @tf.function
    def repeats(data, values):
        unique = tf.unique(values).y
        return tf.while_loop(lambda n: n < 3, lambda n: n + reads(data) + unique[0], [0])[0]

    graph = repeats.get_concrete_function(
        tf.TensorSpec([], tf.string), tf.TensorSpec([None], tf.int32)
    ).graph
    found = {name.partition("(")[0] for name in without_gpu_kernel(graph)}
    assert found == {"DecodeRaw"}


def test_a_gpu_kernel_of_other_dtypes_does_not_count():
    with tf.Graph().as_default() as graph:
        tf.nn.relu(tf.zeros([2], tf.float32))
        tf.nn.relu(tf.zeros([2], tf.int32))
    assert without_gpu_kernel(graph) == {"Relu(T=int32)"}
