"""The encoder: padding, outputs, pruned heads, factorised embeddings, saving, precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.bert.encoder import PAD, BertEncoder
from apps.bert.encoder_config import EncoderConfig
from apps.bert.pretraining.pretrainer import Pretrainer
from shared.testing.layer_test import run_layer_test

WORDS, LAYERS, HEADS, WIDTH = 40, 3, 4, 16
SHAPE = {
    "num_layers": LAYERS,
    "num_heads": HEADS,
    "hidden_dim": WIDTH,
    "intermediate_dim": 24,
    "max_positions": 12,
}
LENGTHS = (9, 5, 2, 1)


def batch_of(lengths=LENGTHS, longest=9, seed=0):
    generator = np.random.default_rng(seed)
    positions = np.arange(longest)
    real = positions < np.array(lengths)[:, None]
    token_ids = np.where(real, generator.integers(1, WORDS, real.shape), PAD)
    segment_ids = np.where(real, positions >= 3, 0)
    return {"token_ids": token_ids.astype(np.int32), "segment_ids": segment_ids.astype(np.int32)}


def large_weights(encoder):
    """Weights with which every part of the encoder matters."""
    encoder.build()
    generator = np.random.default_rng(1)
    for weight in encoder.trainable_weights:
        noise = generator.normal(size=weight.shape) * 0.3
        weight.assign(noise + (1.0 if weight.path.endswith("gamma") else 0.0))
    return encoder


def new_encoder(**more):
    return BertEncoder(EncoderConfig(**{**SHAPE, **more}), WORDS)


def encoder_of(**more):
    return large_weights(new_encoder(**more))


@pytest.mark.parametrize("more", [{}, {"embedding_dim": 8, "heads_per_layer": (4, 1)}])
def test_layer(more):
    batch = batch_of()
    config = {**SHAPE, "num_layers": 2, "heads_per_layer": (HEADS, HEADS), **more}
    config |= {"dropout": 0.0, "attention_dropout": 0.0}
    arguments = {"config": config, "vocabulary_size": WORDS}
    inputs = [batch["token_ids"], batch["segment_ids"]]
    run_layer_test(AsTuple, arguments, inputs, [(4, 9, 16), (4, 16)])


@keras.saving.register_keras_serializable(package="kerasuite_tests")
class AsTuple(BertEncoder):
    """Takes a list and gives a tuple, as `run_layer_test` knows them."""

    def build(self, inputs_shape=None):
        super().build()

    def call(self, inputs, training=None):
        named = dict(zip(("token_ids", "segment_ids"), inputs, strict=True))
        outputs = super().call(named, training=training)
        return outputs["sequence"], outputs["pooled"]

    def compute_output_shape(self, inputs_shape):
        rows, length = inputs_shape[0]
        width = self.config.hidden_dim
        return (rows, length, width), (rows, width)

    def compute_output_spec(self, inputs, **_):
        return tuple(
            keras.KerasTensor(shape, self.compute_dtype)
            for shape in self.compute_output_shape([tensor.shape for tensor in inputs])
        )


# === What it computes ===


def test_padding_changes_nothing():
    encoder, batch = encoder_of(), batch_of()
    together = encoder(batch, output_hidden_states=True, output_attentions="weights")
    for row, length in enumerate(LENGTHS):
        alone = {name: array[row : row + 1, :length] for name, array in batch.items()}
        expected = encoder(alone, output_hidden_states=True, output_attentions="weights")
        for ours, theirs in zip(together["hidden_states"], expected["hidden_states"], strict=True):
            np.testing.assert_allclose(ours[row, :length], theirs[0], atol=1e-5)
        for ours, theirs in zip(together["attentions"], expected["attentions"], strict=True):
            np.testing.assert_allclose(ours[row, :, :length, :length], theirs[0], atol=1e-5)
            assert not np.any(ours[row, :, :, length:])
        np.testing.assert_allclose(together["pooled"][row], expected["pooled"][0], atol=1e-5)


def test_longer_padding_changes_nothing():
    encoder = encoder_of()
    short, long = batch_of(), batch_of()
    long = {name: np.pad(array, ((0, 0), (0, 3))) for name, array in long.items()}
    np.testing.assert_allclose(encoder(short)["pooled"], encoder(long)["pooled"], atol=1e-5)


def test_a_row_of_padding_is_finite():
    batch = {name: np.zeros_like(array) for name, array in batch_of().items()}
    assert np.isfinite(encoder_of()(batch)["sequence"]).all()


def test_words_positions_and_segments_matter():
    encoder, batch = encoder_of(), batch_of()
    first = np.asarray(encoder(batch)["sequence"][0])
    swapped = {**batch, "token_ids": batch["token_ids"][:, ::-1]}
    other_segments = {**batch, "segment_ids": 1 - batch["segment_ids"]}
    for other in (swapped, other_segments):
        assert np.abs(encoder(other)["sequence"][0] - first).max() > 0.1
    reordered = np.asarray(
        encoder({**swapped, "segment_ids": batch["segment_ids"][:, ::-1]})["sequence"]
    )
    assert np.abs(reordered[0, ::-1] - first).max() > 0.1


# === Outputs ===


def test_only_what_is_asked_for():
    encoder, batch = encoder_of(), batch_of()
    assert set(encoder(batch)) == {"sequence", "pooled"}
    outputs = encoder(batch, output_hidden_states=True)
    assert set(outputs) == {"sequence", "pooled", "hidden_states"}
    assert len(outputs["hidden_states"]) == LAYERS + 1
    np.testing.assert_array_equal(outputs["hidden_states"][-1], outputs["sequence"])
    np.testing.assert_array_equal(outputs["hidden_states"][0], encoder.embed(batch))


def test_attention_weights_are_the_softmax_of_the_scores():
    encoder, batch = encoder_of(), batch_of()
    scores = encoder(batch, output_attentions="scores")["attentions"]
    weights = encoder(batch, output_attentions="weights")["attentions"]
    hidden = batch["token_ids"] == PAD
    for score, weight in zip(scores, weights, strict=True):
        assert score.shape == weight.shape == (4, HEADS, 9, 9)
        powers = np.exp(np.asarray(score, np.float64))
        powers[np.broadcast_to(hidden[:, None, None], powers.shape)] = 0
        np.testing.assert_allclose(weight, powers / powers.sum(-1, keepdims=True), atol=1e-6)


def test_first_position_alone():
    encoder, batch = encoder_of(heads_per_layer=(4, 2, 3)), batch_of()
    options = {"output_hidden_states": True, "output_attentions": "weights"}
    first, whole = encoder(batch, first_only=True, **options), encoder(batch, **options)
    np.testing.assert_allclose(first["pooled"], whole["pooled"], atol=1e-5)
    np.testing.assert_allclose(first["sequence"], whole["sequence"][:, :1], atol=1e-4)
    np.testing.assert_allclose(
        first["attentions"][-1], whole["attentions"][-1][:, :, :1], atol=1e-5
    )
    for ours, theirs in zip(first["hidden_states"][:-1], whole["hidden_states"][:-1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def gradients_of(encoder, batch, **options):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(batch, training=True, **options)["pooled"] ** 2)
    return tape.gradient(loss, [weight.value for weight in encoder.trainable_weights])


def test_first_position_alone_trains_the_same():
    encoder, batch = encoder_of(dropout=0.0, attention_dropout=0.0), batch_of()
    ours = gradients_of(encoder, batch, first_only=True)
    theirs = gradients_of(encoder, batch)
    for weight, our, their in zip(encoder.trainable_weights, ours, theirs, strict=True):
        our, their = tf.convert_to_tensor(our), tf.convert_to_tensor(their)
        np.testing.assert_allclose(our, their, atol=1e-4, rtol=1e-3, err_msg=weight.path)


@pytest.mark.parametrize("first_only", [False, True])
def test_symbolic_outputs_have_the_shapes_of_real_ones(first_only):
    encoder, batch = encoder_of(heads_per_layer=(4, 1, 2)), batch_of()
    options = {"output_hidden_states": True, "output_attentions": "scores"}
    options["first_only"] = first_only
    inputs = {name: keras.Input((9,), dtype="int32", name=name) for name in batch}
    symbolic = keras.tree.flatten(encoder(inputs, **options))
    real = keras.tree.flatten(encoder(batch, **options))
    assert [tuple(one.shape)[1:] for one in symbolic] == [tuple(one.shape)[1:] for one in real]
    assert [one.dtype for one in symbolic] == [one.dtype.name for one in real]


# === Variants ===


def test_pruned_heads_equal_heads_that_give_nothing():
    whole, pruned = encoder_of(), new_encoder(heads_per_layer=(4, 1, 2))
    pruned.build()
    width = WIDTH // HEADS
    for index, heads in enumerate((4, 1, 2)):
        output = whole.blocks[index].attention.output_dense.kernel
        silent = np.asarray(output).copy()
        silent[heads * width :] = 0
        output.assign(silent)
    copy_kept_heads(whole, pruned, width)
    ours = pruned(batch_of(), output_attentions="scores")
    theirs = whole(batch_of(), output_attentions="scores")
    np.testing.assert_allclose(ours["sequence"], theirs["sequence"], atol=1e-5)
    assert [scores.shape[1] for scores in ours["attentions"]] == [4, 1, 2]
    for our, their in zip(ours["attentions"], theirs["attentions"], strict=True):
        np.testing.assert_allclose(our, their[:, : our.shape[1]], atol=1e-5)


def copy_kept_heads(whole, pruned, width):
    """The first heads of each block, and everything else as it is."""
    for source, target in zip(whole.weights, pruned.weights, strict=True):
        value = np.asarray(source)
        if source.shape == target.shape:
            target.assign(value)
        elif "query_key_value" in source.path:
            kept, parts = target.shape[-1] // 3, np.split(value, 3, axis=-1)
            target.assign(np.concatenate([part[..., :kept] for part in parts], axis=-1))
        else:
            target.assign(value[tuple(slice(size) for size in target.shape)])


def test_factorised_embeddings_equal_their_product():
    factors, whole = encoder_of(embedding_dim=8), new_encoder()
    whole.build()
    by_name = {weight.path.partition("/")[2]: weight for weight in factors.weights}
    assert by_name["token_embedding/embeddings"].shape == (WORDS, 8)
    for weight in whole.weights:
        name = weight.path.partition("/")[2]
        if "seed" not in name and name != "token_embedding/embeddings":
            weight.assign(by_name[name])
    narrow, kernel, bias = (
        np.asarray(by_name[name])
        for name in (
            "token_embedding/embeddings", "embedding_projection/kernel",
            "embedding_projection/bias",
        )
    )  # fmt: skip
    whole.token_embedding.embeddings.assign(narrow @ kernel + bias)
    batch = batch_of()
    np.testing.assert_allclose(factors(batch)["sequence"], whole(batch)["sequence"], atol=1e-4)


@pytest.mark.parametrize("more", [{"heads_per_layer": (4, 2)}, {"num_heads": 3}])
def test_bad_shapes(more):
    with pytest.raises(ValueError):
        new_encoder(**more)


def test_everything_starts_from_the_truncated_normal_of_the_paper():
    """Normal of deviation 0.02, cut at two of them: 0.8796 of it is left."""
    config = EncoderConfig(
        **SHAPE | {"hidden_dim": 64, "intermediate_dim": 96, "embedding_dim": 32}
    )
    model = Pretrainer(config, 500, paired=True)
    model.build()
    for weight in model.trainable_weights:
        values, name = np.array(weight), weight.path.rpartition("/")[2]
        if name in ("bias", "beta", "gamma"):
            np.testing.assert_array_equal(values, float(name == "gamma"))
        else:
            assert np.abs(values).max() <= 0.04, weight.path
            assert values.std() == pytest.approx(0.0176, rel=5 / values.size**0.5), weight.path


def test_config_has_every_argument():
    config = BertEncoder(EncoderConfig(), 30522).get_config()
    assert config["vocabulary_size"] == 30522
    assert config["config"].keys() == EncoderConfig.__dataclass_fields__.keys()
    base = BertEncoder.from_config(config).config
    assert (base.num_layers, base.hidden_dim, base.num_heads) == (12, 768, 12)
    assert base.block_heads == (12,) * 12


# === Inside a model ===


@pytest.mark.parametrize("more", [{}, {"embedding_dim": 8, "heads_per_layer": (4, 1, 2)}])
def test_inside_a_saved_model(tmp_path, more):
    encoder, batch = encoder_of(**more), batch_of()
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in batch}
    outputs = encoder(inputs, output_hidden_states=True, output_attentions="scores")
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    revived = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    ours, theirs = model(batch), revived(batch)
    for our, their in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        np.testing.assert_array_equal(our, their)
    layer = next(layer for layer in revived.layers if isinstance(layer, BertEncoder))
    assert layer.get_config() == encoder.get_config()


def test_mixed_bfloat16():
    reference, batch = encoder_of(), batch_of()
    encoder = BertEncoder(EncoderConfig(**SHAPE), WORDS, dtype="mixed_bfloat16")
    encoder.build()
    encoder.set_weights(reference.get_weights())
    outputs = encoder(batch, output_hidden_states=True, output_attentions="weights")
    expected = reference(batch, output_hidden_states=True, output_attentions="weights")
    assert all(weight.dtype == "float32" for weight in encoder.trainable_weights)
    assert {state.dtype.name for state in outputs["hidden_states"]} == {"bfloat16"}
    assert {weights.dtype.name for weights in outputs["attentions"]} == {"float32"}
    real = batch["token_ids"] != PAD
    ours = np.asarray(outputs["sequence"], np.float32)[real]
    theirs = np.asarray(expected["sequence"])[real]
    assert np.abs(ours - theirs).mean() < 0.05 * np.abs(theirs).mean()
    inputs = {name: keras.Input((9,), dtype="int32") for name in batch}
    assert encoder(inputs)["sequence"].dtype == "bfloat16"


def test_dropout_only_in_training():
    encoder, batch = encoder_of(), batch_of()
    still = [np.asarray(encoder(batch, training=False)["sequence"]) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    assert np.abs(np.asarray(encoder(batch, training=True)["sequence"]) - still[0]).max() > 0.1
