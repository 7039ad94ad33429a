"""Against PyTorch and transformers themselves (`pip install -e '.[oracle]'`), both ways."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from apps.translation.app import TranslateApp
from shared.engine.run import load_best, open_run
from shared.samples.numbers_en_zh import english
from shared.text.special_tokens import END, PAD, START
from tests.apps.translation.checkpoint.random_marian import marian_tensors, names, write_marian
from tests.apps.translation.checkpoint.test_marian import LOGITS, SENTENCES, expect
from tests.in_process import run_command
from tests.shared.text.test_byte_level_bpe import real_texts

# PyTorch's compiler, which is not used here: its library ends a process that has TensorFlow's.
sys.modules.setdefault("triton", None)
torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `oracle`)")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (extra `oracle`)"
)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marian")
    theirs = transformers.MarianMTModel.from_pretrained(write_marian(folder / "in")).eval()
    tokenizer = transformers.MarianTokenizer.from_pretrained(folder / "in")
    expect(run_command("translate", "import", folder / "in", "--output", folder / "run"))
    return theirs, tokenizer, folder / "run"


def opened(folder):
    app = TranslateApp()
    run = open_run(app, folder)
    return app.tokenizers, load_best(app, run)


def logits_of(theirs, rows, target):
    """Of the tokens after each of `target`, for sources of token ids of any lengths."""
    width, pad = max(map(len, rows)), theirs.config.pad_token_id
    source = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
    with torch.no_grad():
        found = theirs(source, attention_mask=source != pad, decoder_input_ids=torch.tensor(target))
    return found.logits.numpy()


def test_tokens(both):
    _, theirs, folder = both
    source, target = opened(folder)[0].source, opened(folder)[0].target
    for ours, texts in ((source, theirs(SENTENCES)), (target, theirs(text_target=SENTENCES))):
        found = ours(tf.constant([text.encode() for text in SENTENCES])).to_list()
        order = ours.vocabulary.order
        assert [[*order[row], order[END]] for row in found] == texts["input_ids"]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_tokens_of_real_texts(both, real_data, count):
    """Most of their characters are in neither language's model, or in the other one's."""
    _, theirs, folder = both
    # Theirs looks for special tokens in a text, ours does not.
    texts = [text for text in real_texts(real_data, count) if "<unk>" not in text]
    ours = opened(folder)[0].source
    order = ours.vocabulary.order
    for begin in range(0, len(texts), 500):
        part = texts[begin : begin + 500]
        found = ours(tf.constant([text.encode() for text in part])).to_list()
        for text, row, expected in zip(part, found, theirs(part)["input_ids"], strict=True):
            assert [*order[row], order[END]] == expected, text


@pytest.mark.parametrize(
    ("separate", "tied", "changes"),
    [(False, True, {}), (True, True, {"activation_function": "relu"}), (True, False, {})],
)
def test_logits_both_ways(tmp_path, separate, tied, changes):
    tensors = marian_tensors(not separate, tied)
    folder = write_marian(tmp_path / "in", tensors, separate, tie_word_embeddings=tied, **changes)
    theirs = transformers.MarianMTModel.from_pretrained(folder).eval()
    expect(run_command("translate", "import", folder, "--output", tmp_path / "run"))
    tokenizers, model = opened(tmp_path / "run")
    source = tokenizers.source(tf.constant([text.encode() for text in SENTENCES]))
    ends = tf.fill([source.nrows(), 1], END)
    source = tf.concat([source, ends], axis=1)
    order = tokenizers.target.vocabulary.order
    target = np.random.default_rng(0).integers(END, len(order), (len(SENTENCES), 7))
    target[:, 0] = START
    ours = np.asarray(model({"source": source.to_tensor(PAD), "target": target}))
    rows = [order[row].tolist() for row in source.to_list()]
    expected = logits_of(theirs, rows, order[target])
    words = np.arange(len(order)) != START
    np.testing.assert_allclose(ours[..., words], expected[..., order[words]], atol=1e-4, rtol=0)
    if not separate and tied:
        np.testing.assert_allclose(expected[0, 0, :8], LOGITS, atol=1e-4)

    expect(run_command("translate", "export-hf", tmp_path / "run", "--output", tmp_path / "out"))
    again = transformers.MarianMTModel.from_pretrained(tmp_path / "out").eval()
    assert np.array_equal(logits_of(again, rows, order[target]), expected)
    tokenizer = transformers.MarianTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer(SENTENCES)["input_ids"] == rows


def test_translations(tmp_path):
    """Beam search with 4 hypotheses; both write the same wherever the best one is clear.

    A random model whose output matrix is its embedding repeats its last word for ever: this one
    has one of its own, and what does not end by itself within 40 tokens is not compared, as the
    rules for the last token differ.
    """
    tensors = marian_tensors(shared=False, tied=False)
    tensors["final_logits_bias"][0, 0] = 1.5
    folder = write_marian(tmp_path / "in", tensors, True, tie_word_embeddings=False)
    theirs = transformers.MarianMTModel.from_pretrained(folder).eval()
    tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
    expect(run_command("translate", "import", folder, "--output", tmp_path / "run"))
    tokenizers, model = opened(tmp_path / "run")
    texts = [english(number) for number in range(3, 60_000, 150)]
    order = tokenizers.target.vocabulary.order
    tokens = tokenizer(texts, return_tensors="pt", padding=True)
    pad, limit, count = len(names()) - 1, 40, len(texts)
    with torch.no_grad():
        found = theirs.generate(
            **tokens, num_beams=4, num_return_sequences=2, length_penalty=1.0,
            max_new_tokens=limit, early_stopping=False, bad_words_ids=[[pad], [1]],
            output_scores=True, return_dict_in_generate=True,
        )  # fmt: skip
    expected = found.sequences.reshape(count, 2, -1)[:, 0, 1:].numpy()
    scores = found.sequences_scores.reshape(count, 2).numpy()
    source = tokenizers.source(tf.constant(texts))
    source = tf.concat([source, tf.fill([source.nrows(), 1], END)], axis=1).to_tensor(PAD)
    model.limits = lambda source: tf.fill([tf.shape(source)[0]], limit)
    ours = tf.function(lambda: model.translate(source, 4, 1.0))()
    lengths = np.maximum((expected != pad).sum(axis=1), ours.lengths[:, 0].numpy())
    clear = np.flatnonzero((scores[:, 0] - scores[:, 1] > 1e-4) & (lengths < limit))
    assert len(clear) >= 200
    for number in clear:
        row = [token for token in ours.tokens[number, 0].numpy() if token != PAD]
        assert order[row].tolist() == [token for token in expected[number] if token != pad]
        assert float(ours.scores[number, 0]) == pytest.approx(scores[number, 0], abs=1e-4)
    text = tokenizers.target.detokenize(ours.tokens[:, 0]).numpy()
    theirs_text = tokenizer.batch_decode(found.sequences[::2], skip_special_tokens=True)
    for number in clear:
        assert text[number].decode() == " ".join(theirs_text[number].split())
