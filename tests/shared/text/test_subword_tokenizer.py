"""Subword vocabularies: the graph against the library, and nothing lost on the way."""

import random
import subprocess
import sys
import unicodedata

import pytest
import sentencepiece
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.text.special_tokens import END, PAD, START, UNK
from shared.text.subword_tokenizer import KINDS, SubwordTokenizer, clean_text, train_tokenizer

ENGLISH = [
    "Two young, white males are outside near many bushes.",
    "A man in a blue shirt is standing on a ladder cleaning a window.",
    "He didn't pay $3.50 for the café's crème brûlée — did he?",
]
GERMAN = [
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    "Ein Mann in einem blauen Hemd steht auf einer Leiter und putzt ein Fenster.",
    "Die Straßenbahnhaltestelle „Übersee“ wird täglich geöffnet.",
]
CHINESE = [
    "我们试试看！",
    "我该去睡觉了。",
    "你在干什么啊？",
    "這是什麼 ABC 123？",
    "一百二十三万四千五百六十七",
]
EMOJI = ["I ❤️ 🍕!", "👨‍👩‍👧 zu Hause 🇩🇪", "🙂🙃"]
SENTENCES = ENGLISH + GERMAN + CHINESE
# None of these is among the training sentences.
ODD = [
    "",
    "   ",
    "e\u0301 A\u030a \ufb01",
    "<s> </s> <unk> <pad> <0x41>",
    "\u2581a\u2581b",
    "a\x00b\x1fc\x7fd\x85e",
    "tab\tnew\nline\r\nend ",
    "\ufefffirst\u3000\u00a0\u2028last",
    "עברית العربية ไทย हिन्दी",
    "𝔘𐍈 \u200bzero\u200dwidth",
    "\ufffd \ufffe \uffff \ue000 \U0010ffff",
    "xyz" * 500,
]


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    return SubwordTokenizer(train_tokenizer(SENTENCES, request.param, 420))


def strings(tensor):
    return [text.decode() for text in tensor.numpy()]


def random_texts(count):
    """Characters of all planes, mixed with those that tokenizers use themselves."""
    generator = random.Random(4)
    near = " \u2581<s>/unk0x41\t\n\x00ÄÖ猫🍕\u0301\u3099\u1100\u1161\u00a0\ufeff\u2000"
    ranges = [(0, 0x300), (0x300, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000)]
    for _ in range(count):
        yield "".join(
            generator.choice(near)
            if generator.random() < 0.6
            else chr(generator.randrange(*generator.choice(ranges)))
            for _ in range(generator.randrange(40))
        )


def test_clean_text_is_what_it_says():
    texts = ODD + EMOJI + SENTENCES + list(random_texts(300))
    cleaned = strings(clean_text(tf.constant(texts)))
    for text, clean in zip(texts, cleaned, strict=True):
        # The definition with Python's own tables.
        expected = unicodedata.normalize("NFC", text)
        blank = [
            unicodedata.category(c) in ("Cc", "Zs", "Zl", "Zp") or c in "\ufeff\u2581"
            for c in expected
        ]
        kept = "".join(" " if b else c for c, b in zip(expected, blank, strict=True))
        assert clean == " ".join(part for part in kept.split(" ") if part), repr(text)
    assert strings(clean_text(tf.constant(cleaned))) == cleaned


def test_clean_text_replaces_invalid_utf8():
    texts = tf.constant([b"a\xff\xfeb", b"\xc3", b"\xed\xa0\x80 x", b"ok \xe4\xbd"])
    cleaned = clean_text(texts)
    assert [set(text) <= set("abxok \ufffd") for text in strings(cleaned)] == [True] * 4
    assert all("\ufffd" in text for text in strings(cleaned))
    assert clean_text(tf.constant([["a "], [" b"]])).numpy().tolist() == [[b"a"], [b"b"]]


def test_equals_the_library(tokenizer):
    library = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    texts = ENGLISH + GERMAN + CHINESE + EMOJI + ODD + list(random_texts(200))
    expected = library.encode(strings(clean_text(tf.constant(texts))))
    found = tokenizer(tf.constant(texts))
    assert found.dtype == tf.int32
    assert found.to_list() == expected
    assert tokenizer.vocabulary_size == library.vocab_size()
    some = found[0].numpy()
    assert tokenizer.pieces(some) == library.id_to_piece(some.tolist())
    assert strings(tokenizer.piece_strings(found[0])) == tokenizer.pieces(some)
    special = {PAD: "<pad>", UNK: "<unk>", START: "<s>", END: "</s>"}
    assert tokenizer.pieces(list(special)) == list(special.values())


def test_nothing_is_lost(tokenizer):
    texts = ODD + EMOJI + SENTENCES + list(random_texts(1000))
    ids = tokenizer(tf.constant(texts))
    cleaned = strings(clean_text(tf.constant(texts)))
    assert strings(tokenizer.detokenize(ids)) == cleaned
    # No text gives a special token, not even one that spells its name.
    assert int(tf.reduce_min(ids.flat_values)) > END


def test_detokenize_leaves_out_special_tokens(tokenizer):
    first, second = tokenizer(tf.constant(["Zwei Männer", "猫 🍕"])).to_list()
    rows = [
        [START, *first, END],
        [*first, END, *second],
        [PAD, *second, END, PAD],
        [END, *first],
        [],
    ]
    expected = ["Zwei Männer", "Zwei Männer", "猫 🍕", "", ""]
    ragged = tf.ragged.constant(rows, tf.int32, ragged_rank=1)
    assert strings(tokenizer.detokenize(ragged)) == expected
    assert strings(tokenizer.detokenize(ragged.to_tensor(PAD))) == expected
    assert strings(tokenizer.detokenize(tf.zeros([2, 0], tf.int32))) == ["", ""]


def test_any_tokens_give_one_line_of_text(tokenizer):
    generator = random.Random(5)
    ids = [[generator.randrange(4, 420) % tokenizer.vocabulary_size for _ in range(30)] * 3] * 50
    for text in strings(tokenizer.detokenize(tf.constant(ids, tf.int32))):
        assert text == text.strip() and len(text.splitlines()) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_deterministic_and_quiet(kind, capfd):
    first = train_tokenizer(SENTENCES, kind, 300)
    assert train_tokenizer(iter(SENTENCES), kind, 300) == first
    tokenizer = SubwordTokenizer(first)
    assert tokenizer.vocabulary_size == 300
    assert tokenizer.detokenize(tokenizer(tf.constant(["a b"]))).numpy() == [b"a b"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sentences", [["a"], ["猫"], ["", "a  a a"], ["…"] * 3])
def test_a_size_that_the_text_does_not_support_is_lowered(kind, sentences, capfd):
    used = SubwordTokenizer(train_tokenizer(sentences, kind, 8000)).vocabulary_size
    assert 261 <= used < 280
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and f"supports {used} tokens only" in error


def test_a_small_vocabulary_of_many_characters():
    """Here the library alone fails: more characters than pieces."""
    sentences = ["".join(chr(0x4E00 + (i * j) % 3000) for i in range(20)) for j in range(200)]
    for kind in KINDS:
        tokenizer = SubwordTokenizer(train_tokenizer(sentences, kind, 270))
        ids = tokenizer(tf.constant(sentences))
        assert strings(tokenizer.detokenize(ids)) == sentences


def test_what_is_not_possible_is_said():
    with pytest.raises(
        KerasuiteError, match="--vocabulary-size 269: too small.*take 260, so give at least 270"
    ):
        train_tokenizer(SENTENCES, "bpe", 269)
    with pytest.raises(KerasuiteError, match="no text to learn a vocabulary from"):
        train_tokenizer(["", " \t "], "bpe", 300)
    with pytest.raises(KerasuiteError, match="--vocabulary syllable: unknown; one of unigram"):
        train_tokenizer(SENTENCES, "syllable", 300)


def test_a_sample_of_many_sentences(monkeypatch):
    monkeypatch.setattr("shared.text.subword_tokenizer.MAX_SENTENCES", 5)
    sentences = [f"number {number}" for number in range(100)]
    assert train_tokenizer(sentences, "bpe", 270) == train_tokenizer(sentences, "bpe", 270)


SCRIPT = """
import sys
import tensorflow as tf
import tensorflow_text
loaded = tf.saved_model.load(sys.argv[1])
ids = loaded.tokenize(tf.constant(["Zwei junge Männer 🍕", "我们", ""]))
print(ids.numpy().tolist())
print([text.decode() for text in loaded.detokenize(ids).numpy()])
assert not any(name.split(".")[0] in ("shared", "apps", "sentencepiece") for name in sys.modules)
"""


def test_two_vocabularies_in_one_saved_model(tmp_path):
    module = tf.Module()
    module.both = [
        SubwordTokenizer(train_tokenizer(texts, "unigram", size))
        for texts, size in ((SENTENCES, 400), (["ein alter Hund", "two old dogs"] * 5, 290))
    ]
    module.cut = tf.function(
        lambda text: [tokenizer(text).to_tensor(PAD) for tokenizer in module.both],
        [tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path / "model"))
    texts = tf.constant(["Zwei junge Männer", "two old dogs"])
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    for found, tokenizer in zip(loaded.cut(texts), module.both, strict=True):
        assert found.numpy().tolist() == tokenizer(texts).to_tensor(PAD).numpy().tolist()


def test_saved_model_in_a_fresh_process(tmp_path):
    tokenizer = SubwordTokenizer(train_tokenizer(SENTENCES, "unigram", 400))
    module = tf.Module()
    module.tokenizer = tokenizer
    module.tokenize = tf.function(
        lambda text: tokenizer(text).to_tensor(PAD), [tf.TensorSpec([None], tf.string)]
    )
    module.detokenize = tf.function(tokenizer.detokenize, [tf.TensorSpec([None, None], tf.int32)])
    tf.saved_model.save(module, str(tmp_path / "model"))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "model")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    texts = ["Zwei junge Männer 🍕", "我们", ""]
    lines = done.stdout.splitlines()
    assert lines[-2] == str(tokenizer(tf.constant(texts)).to_tensor(PAD).numpy().tolist())
    assert lines[-1] == str(texts)
