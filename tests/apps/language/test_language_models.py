"""Networks against computations of their own: logits, scores, writing."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.language import recurrent_language_model
from apps.language.language_model import NEVER
from apps.language.windows import EvaluationWindows
from shared.text.special_tokens import END
from tests.apps.language.models import (
    NETWORKS,
    TRANSFORMERS,
    log_softmax,
    next_log_probabilities,
    random_tokens,
    small_model,
)

# In `shared/layers` all cells and kinds of positions are compared with their formulas.
FAST = ("learned", "rotary", "lstm")


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in NETWORKS],
)
def model(request):
    return small_model(request.param)


def ragged(rows):
    return tf.RaggedTensor.from_row_lengths(
        tf.constant([token for row in rows for token in row], tf.int32), [len(r) for r in rows]
    )


def seeds_of(numbers):
    return tf.stack([tf.constant(numbers, tf.int64)] * 2, axis=1)


# === Whole windows ===


def test_the_loss_is_the_mean_log_probability(model):
    tokens = random_tokens(3, 9)
    hidden = model({"tokens": tokens})
    expected = [
        log_softmax(row)[label]
        for text, labels in zip(np.asarray(model.logits(hidden)), tokens[:, 1:], strict=True)
        for row, label in zip(text, labels, strict=True)
    ]
    loss = model.compute_loss({"tokens": tokens}, y_pred=hidden)
    assert float(loss) == pytest.approx(-np.mean(expected), rel=1e-5)
    assert int(model.loss_weight({"tokens": tokens}, None, None)) == 24
    found = model.predictions({"tokens": tokens}, hidden)["log_probabilities"]
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-4)


def test_log_probabilities_in_blocks_are_the_same(model, monkeypatch):
    tokens = random_tokens(3, 9)
    hidden = model({"tokens": tokens})
    whole = model.log_probabilities(hidden, tokens[:, 1:])
    monkeypatch.setattr("apps.language.language_model.LOGITS", 5 * model.vocabulary_size)
    np.testing.assert_allclose(model.log_probabilities(hidden, tokens[:, 1:]), whole, atol=1e-6)


def test_no_token_sees_what_follows(model):
    one, other = random_tokens(1, 8, seed=1), random_tokens(1, 8, seed=2)
    other[:, :5] = one[:, :5]
    hidden = [np.asarray(model.hidden_states(tokens)) for tokens in (one, other)]
    np.testing.assert_allclose(hidden[0][:, :5], hidden[1][:, :5], atol=1e-5)
    assert np.abs(hidden[0][:, 5:] - hidden[1][:, 5:]).max() > 1e-3


def test_dropout_is_for_training():
    model = small_model("lstm", dropout=0.5)
    tokens = random_tokens(2, 8)
    calm = [np.asarray(model.hidden_states(tokens, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    assert (np.asarray(model.hidden_states(tokens, training=True)) != calm[0]).any()


def test_a_model_comes_back(model, tmp_path):
    tokens = random_tokens(2, 8)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    np.testing.assert_allclose(again.hidden_states(tokens), model.hidden_states(tokens), atol=1e-6)


# === Evaluation ===


def test_the_score_of_a_transformer_is_that_of_overlapping_windows():
    """Each token with half a window at least before it, computed token by token."""
    model, length = small_model("learned"), 21
    tokens = np.concatenate([[END], random_tokens(length)])
    half, expected = model.sequence_length // 2, 0.0
    for place in range(1, length + 1):
        # The first window has its whole length of new tokens, each further one its half.
        late = max(0, place - 1 - model.sequence_length) if place > model.sequence_length else -1
        begin = 0 if late < 0 else half * (1 + late // half)
        expected += next_log_probabilities(model, tokens[begin:place])[tokens[place]]
    rows = tf.constant(np.stack([tokens, tokens]), tf.int32)
    found = model.score(rows, tf.constant([length, 5]))
    assert float(found[0]) == pytest.approx(expected, rel=1e-4)
    short = sum(next_log_probabilities(model, tokens[:p])[tokens[p]] for p in range(1, 6))
    assert float(found[1]) == pytest.approx(short, rel=1e-4)
    windows = EvaluationWindows(tokens, *model.evaluation_window(model.sequence_length))
    x = windows.batch(np.arange(len(windows)))
    logs = np.asarray(model.predictions(x, model(x))["log_probabilities"])
    assert logs[x["counted"]].sum() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "network",
    [
        "lstm",
        pytest.param("rnn", marks=pytest.mark.slow),
        pytest.param("gru", marks=pytest.mark.slow),
    ],
)
def test_the_score_of_a_recurrent_network_is_that_of_the_whole_text(network, monkeypatch):
    """Stretches with a warm-up, and the state carried from token to token."""
    monkeypatch.setattr(recurrent_language_model, "STRETCH", 40)
    monkeypatch.setattr(recurrent_language_model, "WARM_UP", 60)
    model, length = small_model(network), 170
    # As small as trained weights are: a network that remembers nothing for ever.
    for weight in model.trainable_variables:
        weight.assign(weight * 0.5)
    tokens = np.concatenate([[END], random_tokens(length)])
    states, expected = np.zeros((1, 4 if network == "lstm" else 2, 8), np.float32), 0.0
    for place in range(length):
        inputs = model.embedding(tokens[place : place + 1])
        outputs, states = model.recurrent_layers.step(inputs, states)
        expected += log_softmax(model.logits(outputs)[0])[tokens[place + 1]]
    found = model.score(tf.constant(tokens[None], tf.int32), tf.constant([length]))
    assert float(found[0]) == pytest.approx(expected, rel=1e-4)


# === Writing ===


def teacher(model, prompt, written, step):
    """Log-probabilities (V,) of the next token as `write` should see them.

    A Transformer forgets: `max_prompt` says how much of the prompt it reads, and each half of a
    window that is written it begins anew with that half.
    """
    whole = [END, *prompt]
    if hasattr(model, "blocks"):
        half = model.sequence_length // 2
        whole = whole[-int(model.max_prompt(MAX_TOKENS)) :]
        if chunks := step // half:
            # What was read last before this chunk; its tokens were those written one step before.
            fed = [whole[-1], *written]
            whole, written = [], fed[(chunks - 1) * half : step + 1]
    return next_log_probabilities(model, [*whole, *written])


MAX_TOKENS = 19
PROMPTS = ([], [5, 4, 8, 7, 6], list(random_tokens(30, seed=3)))


@pytest.fixture(scope="module")
def written(model):
    """Greedy texts behind three prompts together, in one graph."""
    write = tf.function(lambda prompt, seeds: model.write(prompt, seeds, MAX_TOKENS, top_k=1))
    return write(ragged(PROMPTS), seeds_of([1, 2, 3]))


def test_steps_give_the_logits_of_whole_texts(model, written):
    """Through two windows that are read again, with prompts of unequal lengths."""
    for row, prompt in enumerate(PROMPTS):
        total, text = 0.0, []
        for step, token in enumerate(written.tokens[row, 0].numpy().tolist()):
            if text and text[-1] == END:
                assert token == 0
                continue
            logs = teacher(model, prompt, text, step)
            allowed = logs.copy()
            allowed[list(NEVER)] = -np.inf
            assert logs[token] == pytest.approx(allowed.max(), abs=1e-3)
            text.append(token)
            total += logs[token]
        assert float(written.scores[row, 0]) == pytest.approx(total, abs=5e-3)


def test_no_text_depends_on_its_neighbours(model):
    options = {"temperature": 1.5, "top_p": 0.9}
    write = tf.function(
        lambda prompt, seeds: model.write(prompt, seeds, MAX_TOKENS, **options),
        input_signature=[
            tf.RaggedTensorSpec([None, None], tf.int32), tf.TensorSpec([None, 2], tf.int64),
        ],
    )  # fmt: skip
    together = write(ragged(PROMPTS), seeds_of([1, 2, 3]))
    for row, prompt in enumerate(PROMPTS):
        alone = write(ragged([prompt]), seeds_of([row + 1]))
        np.testing.assert_array_equal(alone.tokens[0], together.tokens[row])
    other = write(ragged(PROMPTS), seeds_of([4, 5, 6]))
    assert (other.tokens.numpy() != together.tokens.numpy()).any()


def test_draws_have_the_model_s_probabilities():
    model, count = small_model("lstm", num_layers=1), 2000
    write = tf.function(lambda seeds: model.write(ragged([[5, 6]] * count), seeds, 1).tokens)
    found = write(seeds_of(range(count)))[:, 0, 0].numpy()
    logs = next_log_probabilities(model, [END, 5, 6])
    logs[list(NEVER)] = -np.inf
    expected = np.exp(log_softmax(logs))
    shares = np.bincount(found, minlength=9) / count
    np.testing.assert_allclose(shares, expected, atol=4 * 0.5 / count**0.5)


@pytest.mark.parametrize("network", ["lstm", pytest.param("rotary", marks=pytest.mark.slow)])
def test_a_wide_beam_finds_the_likeliest_texts(network):
    """Of all texts of three tokens, or shorter ones that end."""
    model, limit = small_model(network, vocabulary=7), 3
    prompts, expected = ([4, 5, 6], []), []
    usable = [token for token in range(7) if token not in NEVER]
    for prompt in prompts:
        logs = {
            text: next_log_probabilities(model, [END, *prompt, *text])
            for length in range(limit)
            for text in itertools.product(usable, repeat=length)
            if END not in text
        }
        scores = {
            text: sum(logs[text[:place]][token] for place, token in enumerate(text))
            for length in range(1, limit + 1)
            for text in itertools.product(usable, repeat=length)
            if END not in text[:-1] and (length == limit or text[-1] == END)
        }
        expected.append(sorted(scores.items(), key=lambda item: -item[1])[:4])
    search = tf.function(lambda prompt: model.search(prompt, limit, 64, 0.0, num_best=4))
    found = search(ragged(prompts))
    for row, best in enumerate(expected):
        for rank, (text, score) in enumerate(best):
            assert tuple(found.tokens[row, rank].numpy()[: len(text)]) == text
            assert float(found.scores[row, rank]) == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize("network", ["learned", pytest.param("gru", marks=pytest.mark.slow)])
def test_hypotheses_keep_their_own_past(network):
    """Through several windows: the score of what was found is that of its tokens."""
    model = small_model(network)
    found = tf.function(lambda p: model.search(p, MAX_TOKENS, 3, 0.0))(ragged(PROMPTS))
    for row, prompt in enumerate(PROMPTS):
        text = found.tokens[row, 0].numpy().tolist()
        text = text[: int(found.lengths[row, 0])]
        total = sum(
            teacher(model, prompt, text[:step], step)[token] for step, token in enumerate(text)
        )
        assert float(found.scores[row, 0]) == pytest.approx(total, abs=5e-3)


@pytest.mark.parametrize("network", TRANSFORMERS)
def test_the_prompt_that_is_read_leaves_room(network):
    model = small_model(network, sequence_length=9)
    assert [int(model.max_prompt(count)) for count in (1, 3, 4, 5, 100)] == [9, 7, 6, 6, 6]


def test_repeated_tokens_become_less_likely():
    model = small_model("lstm")
    prompt = [5, 5, 8]
    logits = np.asarray(model.logits(model.hidden_states(np.array([[END, *prompt]]))))[0, -1]
    penalised = [r / 3.0 if r > 0 else r * 3.0 for r in logits]
    expected = [penalised[t] if t in prompt else logits[t] for t in range(9)]
    allowed = [-math.inf if t in NEVER else value for t, value in enumerate(expected)]
    found = model.write(ragged([prompt]), seeds_of([1]), 1, top_k=1, repetition_penalty=3.0)
    assert int(found.tokens[0, 0, 0]) == int(np.argmax(allowed))
