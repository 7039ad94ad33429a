"""Byte-level BPE against Hugging Face's tokenizer, the pattern itself and merges done by hand."""

import itertools
import json
import random

import numpy as np
import pytest
import regex
import tensorflow as tf
from tokenizers import ByteLevelBPETokenizer, pre_tokenizers

from shared.common.errors import KerasuiteError
from shared.text.byte_level_bpe import ByteLevelBpe, byte_characters
from shared.text.byte_level_files import byte_level_contents, read_byte_level
from shared.text.byte_level_words import ByteLevelSplitter
from shared.text.text_files import open_texts
from shared.text.unicode_classes import LETTER_RANGES, NUMBER_RANGES, SPACE_RANGES, numbers_of

# Of OpenAI's encoder.py.
PATTERN = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
TEXTS = [
    "",
    " ",
    "   ",
    "Hello world",
    "  two blanks,   three;\ttab \t both\n\n\nthree lines \n and \r\n CRLF  ",
    "don't we'll I'm you're they've he'd it's 'tis 'S DON'T WE'LL",
    "'s's 't'll''d !'s 's! \t's\n't  'm ''re '' 'llama 'dare 'mr 'reve 'v 'r 'l",
    "a1b2 3.14 1,000 ²½Ⅳ ٣ 3 rd x²",
    "no\u00a0break \u00a0 \u3000ideographic\u3000\u3000x\u2003 y\u2028z\x85w\x1c\x1dv\x0b\x0cu",
    "e\u0301te\u0301 A\u030a \u0301alone ไทย हिन्दी",
    "我们试试看！這是什麼 ABC 123？𠀀 ひらがな 한국어",
    "I ❤️ 🍕! 👨‍👩‍👧 🇩🇪 🥰🫠 zero\u200bwidth soft\u00adhyphen \ufeffbom \ufffd",
    "x\x00y \x7f <|endoftext|> ==== ---------- aaaaaaaaaaaaa aaa",
    "=" * 1000 + "a" * 999 + " " * 500 + "x",
]
NEAR = "  \t\n''stmdrevel12,.!-\u00a0\u3000\x85\u0301éA我🍕"


def random_texts(count, seed=3):
    generator = random.Random(seed)
    for _ in range(count):
        yield "".join(generator.choice(NEAR) for _ in range(generator.randrange(40)))


@pytest.fixture(scope="module")
def pair():
    """A small vocabulary, as ours and as theirs."""
    return trained([*TEXTS[3:], *random_texts(300), "the then there we'll we're " * 30], 500)


def trained(texts, size):
    theirs = ByteLevelBPETokenizer()
    theirs.train_from_iterator(texts, size, show_progress=False)
    model = json.loads(theirs.to_str())["model"]
    names = sorted(model["vocab"], key=model["vocab"].get)
    merges = [tuple(m if isinstance(m, list) else m.split(" ")) for m in model["merges"]]
    return ByteLevelBpe(names, merges), theirs, names, merges


def ids(tokenizer, texts):
    return tokenizer(tf.constant([text.encode() for text in texts])).to_list()


def texts_of(tokenizer, tokens):
    return [text.decode() for text in tokenizer.detokenize(tf.ragged.constant(tokens)).numpy()]


def assert_equal(pair, texts):
    ours, theirs = pair[:2]
    found = ids(ours, texts)
    expected = [encoding.ids for encoding in theirs.encode_batch(texts)]
    wrong = [text for text, a, b in zip(texts, found, expected, strict=True) if a != b]
    assert not wrong, f"{len(wrong)}, first {wrong[0]!r}"
    assert texts_of(ours, found) == texts


# === Words ===


def words_of(texts):
    """The words of each text."""
    words = ByteLevelSplitter()(tf.constant([text.encode() for text in texts]))
    text, splits = [word.decode() for word in words.text.numpy()], words.row_splits.numpy()
    return [text[begin:end] for begin, end in itertools.pairwise(splits)], words


def test_words_are_the_matches_of_the_pattern():
    texts = [*TEXTS, *random_texts(3000)]
    found, words = words_of(texts)
    for text, each in zip(texts, found, strict=True):
        assert each == PATTERN.findall(text), repr(text)
    # The characters of each word, from which offsets come.
    lengths = [len(word) for each in found for word in each]
    np.testing.assert_array_equal(np.diff(words.splits), lengths)
    np.testing.assert_array_equal(np.diff(words.text_splits), [len(text) for text in texts])


def borders():
    """The first and last character of every range, and their neighbours."""
    numbers = numbers_of(f"{LETTER_RANGES} {NUMBER_RANGES} {SPACE_RANGES}")
    places = np.flatnonzero(np.diff(np.sort(numbers), prepend=-9, append=1 << 21) != 1)
    ends = np.concatenate([np.sort(numbers)[places[:-1]], np.sort(numbers)[places[1:] - 1]])
    return sorted({int(end) + step for end in ends for step in (-1, 0, 1)})


@pytest.mark.parametrize(
    "characters",
    [borders, pytest.param(lambda: range(0x110000), marks=pytest.mark.slow)],
    ids=["borders", "all"],
)
def test_characters_have_their_class(characters):
    """Each behind a letter, a number and another character, as their library cuts it."""
    theirs = pre_tokenizers.ByteLevel(add_prefix_space=False)
    numbers = [c for c in characters() if not 0xD800 <= c < 0xE000]
    texts = [
        "".join(f"a{chr(c)}1{chr(c)}." for c in numbers[begin : begin + 4096])
        for begin in range(0, len(numbers), 4096)
    ]
    found, _ = words_of(texts)
    for text, words in zip(texts, found, strict=True):
        ends = np.cumsum([len(word) for word in words])
        assert ends.tolist() == [end for _, (_, end) in theirs.pre_tokenize_str(text)]


# === Tokens ===


def test_tokens_are_theirs(pair):
    assert_equal(pair, [*TEXTS, *random_texts(2000, seed=5)])


def merged_by_hand(word, ranks):
    """OpenAI's loop: of all pairs of neighbours the one that was learnt first, until none is."""
    parts = list(word)
    while True:
        known = [pair for pair in itertools.pairwise(parts) if pair in ranks]
        if not known:
            return parts
        left, right = min(known, key=ranks.get)
        place, new = 0, []
        while place < len(parts):
            is_pair = tuple(parts[place : place + 2]) == (left, right)
            new.append(left + right if is_pair else parts[place])
            place += 2 if is_pair else 1
        parts = new


def test_merges_are_those_of_the_definition():
    """A vocabulary made by hand, whose merges overlap and compete."""
    merges = [tuple(m.split()) for m in ("a a", "a b", "aa a", "b c", "ab c", "Ġ aa", "aa bc")]
    names = [*byte_characters(), *(left + right for left, right in merges)]
    ours, ranks = ByteLevelBpe(names, merges), {pair: n for n, pair in enumerate(merges)}
    texts = [
        "".join(word) for size in range(1, 8) for word in itertools.product("ab c", repeat=size)
    ]
    for text, tokens in zip(texts[::7], ids(ours, texts[::7]), strict=True):
        words = [word.replace(" ", "Ġ") for word in PATTERN.findall(text)]
        expected = [part for word in words for part in merged_by_hand(word, ranks)]
        assert [names[token] for token in tokens] == expected, text


def test_no_text_gives_a_special_token_and_bad_bytes_are_replaced(pair):
    _, _, names, merges = pair
    ours = ByteLevelBpe([*names, "<|endoftext|>", "", "<pad>"], merges)
    (tokens,) = ids(ours, ["<|endoftext|>"])
    assert max(tokens) < len(names)
    special = tf.ragged.constant([[len(names), len(names) + 1, len(names) + 2]])
    assert ours.detokenize(special).numpy() == [b"<|endoftext|><pad>"]
    found = ours(tf.constant([b"a\xff b\xc3", "a\ufffd b\ufffd".encode()])).to_list()
    assert found[0] == found[1]
    assert ours(tf.constant([], tf.string)).nrows() == 0
    assert ids(ours, ["", ""]) == [[], []]


def test_in_a_saved_model(pair, tmp_path):
    ours, texts = pair[0], tf.constant([text.encode() for text in TEXTS])
    module = tf.Module()
    module.tokenizer = ours
    spec = [tf.TensorSpec([None], tf.string)]
    module.encode = tf.function(lambda texts: ours(texts).to_tensor(-1), input_signature=spec)
    tf.saved_model.save(module, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.encode(texts), ours(texts).to_tensor(-1))


FILES = (
    "msra_zh_news/msra_zh_news.txt.gz", "chnsenticorp/dev.tsv", "goemotions/train.tsv",
    "english_novels/english_novels.zip", "wikitext-2/wiki.valid.tokens.gz",
    "tinyshakespeare/input.txt",
)  # fmt: skip


def real_texts(folder, count):
    """Lines and paragraphs of several kinds and languages, the same number of each."""
    generator, kinds = random.Random(1), []
    for name in FILES:
        content = b"".join(stream.read(1 << 21) for _, stream in open_texts(str(folder / name)))
        text = content.decode("utf-8", "ignore")
        # Paragraphs keep their line ends and the blanks after these.
        kinds.append([part for part in regex.split(r"(?<=\n)(?=\S)", text) if part])
    return [generator.choice(kinds[n % len(kinds)])[:2000] for n in range(count)]


def test_real_texts(real_data):
    texts = real_texts(real_data, 10_000)
    assert_equal(trained(texts[:3000], 8000), texts)


# === Files ===


def test_files_come_back(pair, tmp_path):
    _, theirs, names, merges = pair
    vocabulary = type(read_byte_level_of(theirs, tmp_path / "a"))(names, merges)
    for name, content in byte_level_contents(vocabulary).items():
        (tmp_path / name).write_bytes(content)
    assert read_byte_level(tmp_path) == (names, merges)
    # As their library writes them, in both forms.
    assert read_byte_level_of(theirs, tmp_path / "b") == (names, merges)
    (tmp_path / "c").mkdir()
    theirs.save(str(tmp_path / "c" / "tokenizer.json"))
    assert read_byte_level(tmp_path / "c") == (names, merges)
    loaded = ByteLevelBPETokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    assert loaded.encode(TEXTS[4]).ids == theirs.encode(TEXTS[4]).ids


def read_byte_level_of(theirs, folder):
    folder.mkdir()
    theirs.save_model(str(folder))
    return read_byte_level(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "merges.txt").unlink(), "has neither vocab.json and merges.txt nor token"),
        (
            lambda f: (f / "vocab.json").write_text('{"a": 0}'),
            "no token for 255 of the 256 bytes",
        ),
        (lambda f: (f / "vocab.json").write_text('{"a": "b"}'), "the number of the token 'a' is"),
        (lambda f: (f / "vocab.json").write_text("{"), "vocab.json: is no JSON"),
        (lambda f: (f / "merges.txt").write_text("#version: 0.2\na b c\n"), "merges.txt, line 2: "),
        (lambda f: (f / "merges.txt").write_text("q zz\n"), "has no token 'zz', which merge 1"),
        (lambda f: (f / "merges.txt").write_bytes(b"\xff"), "merges.txt: is no UTF-8 text"),
        (lambda f: _tokenizer(f, model={"type": "Unigram"}), "of type Unigram, not BPE"),
        (
            lambda f: _tokenizer(f, pre_tokenizer={"type": "Split"}),
            "pre_tokenizer.type Split is",
        ),
        (lambda f: _tokenizer(f, normalizer={"type": "NFC"}), "its normalizer is not supported"),
    ],
)
def test_bad_files(pair, tmp_path, change, message):
    read_byte_level_of(pair[1], tmp_path / "in")
    change(tmp_path / "in")
    with pytest.raises(KerasuiteError, match=message):
        read_byte_level(tmp_path / "in")


def _tokenizer(folder, **changes):
    (folder / "vocab.json").unlink()
    values = {"model": {"type": "BPE", "vocab": {}, "merges": []}, **changes}
    (folder / "tokenizer.json").write_text(json.dumps(values))


def test_more_tokens_than_rows(pair, tmp_path):
    read_byte_level_of(pair[1], tmp_path / "in")
    with pytest.raises(KerasuiteError, match="has 500 tokens, the model only 400"):
        read_byte_level(tmp_path / "in", 400)
    assert read_byte_level(tmp_path / "in", 510).names[500:] == [""] * 10
