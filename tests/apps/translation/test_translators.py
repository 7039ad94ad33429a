"""Both architectures: one step at a time equals whole sentences, whatever else is in the batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.translation.config import DecodingConfig, LossConfig, ModelConfig
from apps.translation.transformer_translator import TransformerTranslator
from shared.common.errors import KerasuiteError
from shared.text.special_tokens import END, PAD, START
from tests.apps.translation.translators import NETWORKS, random_batch, small_translator

every_network = pytest.mark.parametrize("network", NETWORKS)


@every_network
def test_steps_equal_the_whole_sentence(network):
    model = small_translator(network)
    x, _ = random_batch()
    whole = model(x, training=False).numpy()
    memory = model.encode(tf.constant(x["source"]))
    state = model.start(memory, 1, x["target"].shape[1])
    for index in range(x["target"].shape[1]):
        tokens = tf.constant(x["target"][:, index : index + 1])
        logits, state, weights = model.step(tokens, tf.constant(index), state, memory)
        real = x["target"][:, index] != PAD
        np.testing.assert_allclose(logits[:, 0][real], whole[:, index][real], atol=2e-5)
        np.testing.assert_allclose(tf.reduce_sum(weights, -1), 1.0, atol=1e-5)
        assert np.all(weights.numpy()[:, 0][x["source"] == PAD] < 1e-6)


@every_network
def test_padding_changes_nothing(network):
    model = small_translator(network)
    x, _ = random_batch()
    wider = {name: np.pad(tokens, [(0, 0), (0, 3)]) for name, tokens in x.items()}
    real = x["target"] != PAD
    one, two = model(x, training=False), model(wider, training=False)[:, : real.shape[1]]
    np.testing.assert_allclose(one[real], two[real], atol=2e-5)


@every_network
def test_hypotheses_follow_their_parents(network):
    """Three hypotheses that are reordered have the logits that each has alone."""
    model = small_translator(network)
    source = tf.constant(random_batch(rows=1)[0]["source"])
    memory = model.encode(source)
    state = model.start(memory, 3, 4)
    sentences = np.array([[START], [START], [START]])
    generator = np.random.default_rng(1)
    for index in range(4):
        tokens = tf.constant(sentences[None, :, -1], tf.int32)
        logits, state, _ = model.step(tokens, tf.constant(index), state, memory)
        x = {"source": np.repeat(source, 3, 0), "target": sentences.astype(np.int32)}
        np.testing.assert_allclose(logits[0], model(x, training=False)[:, -1], atol=2e-5)
        parents = generator.integers(0, 3, 3)
        state = model.reorder(state, tf.constant(parents[None], tf.int32))
        new = generator.integers(END + 1, 11, 3)
        sentences = np.concatenate([sentences[parents], new[:, None]], axis=1)


@every_network
def test_attention_equals_the_steps(network):
    model = small_translator(network)
    x, _ = random_batch(rows=3)
    found = model.attention(tf.constant(x["source"]), tf.constant(x["target"]))
    memory = model.encode(tf.constant(x["source"]))
    state = model.start(memory, 1, 5)
    for index in range(5):
        tokens = tf.constant(x["target"][:, index : index + 1])
        _, state, weights = model.step(tokens, tf.constant(index), state, memory)
        np.testing.assert_allclose(found[:, index], weights[:, 0], atol=1e-6)


@every_network
def test_no_translation_depends_on_the_batch(network):
    model = small_translator(network)
    x, _ = random_batch(rows=6)
    together = model.translate(tf.constant(x["source"]), 3, 0.6)
    for row in range(6):
        length = int((x["source"][row] != PAD).sum())
        alone = model.translate(tf.constant(x["source"][row : row + 1, :length]), 3, 0.6)
        length = int(alone.lengths[0, 0])
        np.testing.assert_array_equal(together.tokens[row, 0, :length], alone.tokens[0, 0, :length])
        assert float(together.scores[row, 0]) == pytest.approx(float(alone.scores[0, 0]), abs=1e-4)


@every_network
def test_score_is_the_log_probability(network):
    """With no penalty the score of a search is that of teacher forcing."""
    model = small_translator(network)
    x, _ = random_batch(rows=3)
    found = model.translate(tf.constant(x["source"]), 2, 0.0)
    tokens = found.tokens[:, 0].numpy()
    target = np.concatenate([np.full((3, 1), START), tokens[:, :-1]], axis=1).astype(np.int32)
    logits = model({"source": x["source"], "target": target}, training=False)
    chosen = tf.gather(tf.nn.log_softmax(logits), tokens, batch_dims=2).numpy()
    expected = np.where(tokens != PAD, chosen, 0.0).sum(1)
    np.testing.assert_allclose(found.scores[:, 0], expected, atol=1e-4)


@every_network
def test_loss_is_a_mean_over_tokens(network):
    model = small_translator(network, label_smoothing=0.1)
    x, y = random_batch()
    logits = model(x, training=False)
    labels = y["labels"]
    every = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    expected = np.array(every)[labels != PAD].mean()
    loss = model.compute_loss(x=x, y=y, y_pred=logits, training=False)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert int(model.loss_weight(x, y, None)) == (labels != PAD).sum()


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(name, marks=() if name in ("pre", "lstm") else pytest.mark.slow)
        for name in NETWORKS
    ],
)
def test_a_pair_is_learnt_by_heart(network):
    model = small_translator(network)
    x, y = random_batch(rows=2, seed=5)
    optimizer = keras.optimizers.Adam(0.02)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True))
        variables = [v.value for v in model.trainable_variables]
        optimizer.apply(tape.gradient(loss, variables), model.trainable_variables)
        return loss

    for _ in range(80):
        step()
    found = model.predictions({"source": tf.constant(x["source"])}, None)["tokens"].numpy()
    width = y["labels"].shape[1]
    np.testing.assert_array_equal(np.pad(found, [(0, 0), (0, width)])[:, :width], y["labels"])


@every_network
def test_a_model_survives_its_file(network, tmp_path):
    model = small_translator(network)
    x, _ = random_batch()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.get_config() == model.get_config()
    assert (again.config, again.loss_config) == (model.config, model.loss_config)
    np.testing.assert_array_equal(model(x, training=False), again(x, training=False))


def test_heads_that_do_not_divide_the_width():
    config = ModelConfig(hidden_dim=18, num_heads=4)
    with pytest.raises(KerasuiteError) as error:
        TransformerTranslator(config, LossConfig(), DecodingConfig(), 11, 11)
    assert "--num-heads 4" in str(error.value) and "--hidden-dim 18" in str(error.value)
    assert "\n" not in str(error.value)


def test_odd_widths_have_no_sinusoids():
    def transformer(**options):
        config = ModelConfig(hidden_dim=17, num_heads=1, **options)
        return TransformerTranslator(config, LossConfig(), DecodingConfig(), 11, 11)

    with pytest.raises(KerasuiteError, match="--hidden-dim 17: .* or --positions learned"):
        transformer()
    transformer(positions="learned")
