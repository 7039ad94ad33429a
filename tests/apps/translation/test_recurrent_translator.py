"""The recurrent translator: both ways of reading agree, it learns, and it is saved whole."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.translation.config import DecodingConfig, LossConfig, ModelConfig
from apps.translation.recurrent_translator import RecurrentTranslator
from shared.common.errors import KerasuiteError
from shared.text.special_tokens import END, PAD, START

RANDOM = np.random.default_rng(0)
VOCABULARY = 12
SOURCE = np.array([[5, 6, 7, END], [8, END, PAD, PAD], [9, 10, END, PAD]], np.int32)
TARGET = np.array(
    [[START, 5, 4, 6, 8], [START, 7, PAD, PAD, PAD], [START, 11, 10, 9, PAD]], np.int32
)
LABELS = np.array([[5, 4, 6, 8, END], [7, END, PAD, PAD, PAD], [11, 10, 9, END, PAD]], np.int32)

COMBINATIONS = [
    {"cell": cell, "attention": attention, "input_feeding": feeding, "num_layers": layers}
    for (cell, layers), attention, feeding in itertools.product(
        [("lstm", 2), ("gru", 1)], ["additive", "dot", "general", "concat"], [True, False]
    )
]


def name_of(arguments):
    return "-".join(str(value) for value in arguments.values())


def translator(shared=True, total_steps=0, width=8, **arguments):
    config = ModelConfig(architecture="recurrent", hidden_dim=width, **arguments)
    groups = config, LossConfig(label_smoothing=0.0), DecodingConfig(beam_size=2)
    model = RecurrentTranslator(*groups, VOCABULARY, VOCABULARY, shared, total_steps=total_steps)
    model.build()
    for weight in model.trainable_weights:  # Off zero, and far enough apart to have one best token.
        weight.assign(weight + RANDOM.normal(0, 0.2, weight.shape))
    return model


def batch(source=SOURCE, target=TARGET):
    return {"source": tf.constant(source), "target": tf.constant(target)}


def step_by_step(model, source, target, beam_size=2):
    """Logits (B, K, T, V) and attention (B, K, T, S), every token fed by itself."""
    memory = model.encode(tf.constant(source))
    state, logits, weights = model.start(memory, beam_size, target.shape[1]), [], []
    for index in range(target.shape[1]):
        tokens = np.repeat(target[:, index, None], beam_size, axis=1)
        step = model.step(tf.constant(tokens), tf.constant(index), state, memory)
        state = step[1]
        logits.append(step[0])
        weights.append(step[2])
    return np.stack(logits, axis=2), np.stack(weights, axis=2)


@pytest.mark.parametrize("arguments", COMBINATIONS, ids=name_of)
def test_tokens_one_by_one_give_the_logits_of_whole_sentences(arguments):
    model = translator(**arguments, tie_embeddings=arguments["input_feeding"])
    expected = np.asarray(model(batch()))
    logits, weights = step_by_step(model, SOURCE, TARGET)
    assert expected.shape == (3, 5, VOCABULARY)
    for hypothesis in range(2):
        np.testing.assert_allclose(logits[:, hypothesis], expected, atol=1e-4)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    assert not weights[np.broadcast_to((SOURCE == PAD)[:, None, None], weights.shape)].any()


def test_embeddings_are_shared_and_tied_as_asked():
    def counts(**arguments):
        names = [weight.path.split("/")[-1] for weight in translator(**arguments).weights]
        return names.count("embeddings"), names.count("reverse_embeddings")

    assert counts() == (1, 0)
    assert counts(tie_embeddings=False) == (1, 1)
    assert counts(shared=False) == (2, 0)
    assert counts(shared=False, tie_embeddings=False) == (2, 1)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_translates_in_a_graph(beam_size):
    model = translator()
    graph = tf.function(
        lambda source, size: model.translate(source, size, 0.6),
        input_signature=[tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((), tf.int32)],
    )
    found = graph(tf.constant(SOURCE), tf.constant(beam_size))
    fixed = model.translate(tf.constant(SOURCE), beam_size, 0.6)
    np.testing.assert_array_equal(found.tokens, fixed.tokens)
    np.testing.assert_allclose(found.scores, fixed.scores, atol=1e-4)


@pytest.mark.parametrize("attention", ["additive", pytest.param("general", marks=pytest.mark.slow)])
def test_learns_sentences_by_heart(attention):
    keras.utils.set_random_seed(1)
    model = translator(width=24, attention=attention, dropout=0.0, scheduled_sampling=0.2)
    model.compile(optimizer=keras.optimizers.Adam(0.02))

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(y={"labels": LABELS}, y_pred=model(batch(), training=True))
        weights = model.trainable_variables
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        model.optimizer.apply(gradients, weights)
        return loss

    for _ in range(80):
        loss = train()
    assert loss < 0.1
    found = model.translate(tf.constant(SOURCE), 2, 0.6).tokens[:, 0, :5]
    np.testing.assert_array_equal(found, LABELS)


# === Scheduled sampling ===


def test_sampling_rises_with_the_steps_of_the_optimiser():
    model = translator(scheduled_sampling=0.5, total_steps=10)
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    rates = []
    for step in (0, 5, 10, 20):
        model.optimizer.iterations.assign(step)
        rates.append(float(model.sampling_probability()))
    np.testing.assert_allclose(rates, [0, 0.25, 0.5, 0.5])
    assert float(translator(scheduled_sampling=0.3).sampling_probability()) == pytest.approx(0.3)


@pytest.mark.parametrize("attention", ["additive", "general"])
@pytest.mark.parametrize("input_feeding", [True, False])
def test_a_decoder_that_always_reads_its_own_tokens_is_greedy(attention, input_feeding):
    model = translator(
        attention=attention, input_feeding=input_feeding, scheduled_sampling=1.0, dropout=0.0
    )
    logits = np.asarray(model(batch(), training=True))
    own = logits.argmax(axis=-1)
    read = np.concatenate([TARGET[:, :1], own[:, :-1]], axis=1).astype("int32")
    np.testing.assert_allclose(logits, model(batch(target=read)), atol=1e-4)
    assert (read != TARGET).any()


def test_sampling_is_of_training_alone():
    model = translator(scheduled_sampling=1.0, dropout=0.0)
    assert np.abs(model(batch(), training=True) - model(batch())).max() > 1e-3
    plain = translator(dropout=0.0)
    assert plain.draws is None
    np.testing.assert_allclose(plain(batch(), training=True), plain(batch()), atol=1e-6)


# === Precision, saving, errors ===


def test_half_precision_gives_nearly_the_same_both_ways():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = translator(num_layers=2)
        logits, weights = step_by_step(model, SOURCE, TARGET)
        whole = np.asarray(tf.cast(model(batch()), tf.float32))
    finally:
        keras.config.set_dtype_policy("float32")
    assert weights.dtype == np.float32
    np.testing.assert_allclose(logits[:, 0].astype("float32"), whole, atol=0.15)


@pytest.mark.parametrize("attention", ["additive", "concat"])
def test_saves_and_loads(tmp_path, attention):
    model = translator(attention=attention, num_layers=2, total_steps=7)
    model.save(tmp_path / "model.keras")
    revived = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert revived.get_config() == model.get_config()
    assert revived.total_steps == 7
    np.testing.assert_array_equal(revived(batch()), model(batch()))


def test_an_odd_width_is_refused():
    with pytest.raises(KerasuiteError, match="--hidden-dim 9"):
        translator(width=9)
