"""WordPiece in the graph against Hugging Face's tokenizer, on every character and on real text."""

import functools
import gzip
import random
import subprocess
import sys
import unicodedata

import keras
import numpy as np
import pytest
import tensorflow as tf
from tokenizers import BertWordPieceTokenizer, normalizers, pre_tokenizers

from shared.common.errors import KerasuiteError
from shared.text.bert_words import WordSplitter
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, WordPieceTokenizer
from shared.text.wordpiece_training import learn_wordpiece

TEXTS = [
    "Hello, world! It's 3 o'clock (U.S. time) & costs $3.50 + tax; <b>~`^|</b> _x_ #tag @me",
    "Der Straßenbahnfahrer grüßt: ÄÖÜ äöü, Café crème brûlée — „Übersee“ … ΣΊΣΥΦΟΣ İstanbul ŒUVRE",
    "e\u0301te\u0301 A\u030a \ufb01nal Ａｂｃ１２３，。！ ﬀ ² ½ ℃ ㎏ ① Ⅳ",
    "我们试试看！這是什麼 ABC 123？豈更 𠀀𪜀 々〆 ひらがな カタカナ ｶﾞ 한국어 각",
    "I ❤️ 🍕! 👨‍👩‍👧 🇩🇪 🥰🫠 zero\u200bwidth soft\u00adhyphen \ufeffbom",
    "עברית שָׁלוֹם العربيّة हिन्दी ภาษาไทย Tiếng Việt ქართული ᏣᎳᎩ 𝔘𐍈 Ⴀ",
    "tab\tnew\nline\r\nend\u00a0\u3000\u2028x\x00y\x1fz\x7f\x85 \ufffd \ue000",
    "",
    "  \t ",
    "\u0301\u200b",
    "a" * 100
    + " "
    + "b" * 101
    + " "
    + "я" * 100
    + " "
    + "я" * 101
    + " ##x ## [unused1] -DOCSTART-",
]


def random_texts(count, seed=4):
    """Characters of all planes, mixed with those that tokenizers treat in a special way."""
    generator = random.Random(seed)
    near = "  \t\n\x00\u0301\u0308\u200d\ufe0f\u00a0\u3000\ufffd.,#$'[]-ÄßéΣİ，。猫我🍕각ः"
    ranges = [(0x21, 0x7F), (0x80, 0x300), (0x300, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000)]
    weights = [8, 3, 4, 1, 1]
    for _ in range(count):
        yield "".join(
            generator.choice(near)
            if generator.random() < 0.4
            else chr(generator.randrange(*generator.choices(ranges, weights)[0]))
            for _ in range(generator.randrange(40))
        )


def theirs(vocabulary, lowercase, **options):
    numbers = {token: number for number, token in enumerate(vocabulary)}
    return BertWordPieceTokenizer(numbers, lowercase=lowercase, **options)


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def pair(request):
    return pair_of(request.param)


@functools.cache
def pair_of(lowercase):
    """A tokenizer and Hugging Face's with the same vocabulary: all kinds of characters in it."""
    words = ["the", "##ing", "world", "stra", "##ße", "café", "cafe", "caf", "ing", "##s", "##か"]
    texts = TEXTS + list(random_texts(300))
    # A third of the characters stays unknown.
    characters = sorted({c for text in texts for c in text + text.lower() if c > " "})
    characters = [c for number, c in enumerate(characters) if c.isascii() or number % 3]
    pieces = [*words, *characters, *("##" + c for c in characters)]
    vocabulary = list(dict.fromkeys([*SPECIAL_TOKENS, *pieces]))
    return WordPieceTokenizer(vocabulary, lowercase), theirs(vocabulary, lowercase)


def assert_equal(tokenizer, oracle, texts):
    tokens, starts, ends = (
        r.to_list() for r in tokenizer.tokenize_with_offsets(tf.constant(texts))
    )
    assert tokenizer(tf.constant(texts)).to_list() == tokens
    unlike = []
    for number, expected in enumerate(oracle.encode_batch(texts, add_special_tokens=False)):
        offsets = list(zip(starts[number], ends[number], strict=True))
        if (tokens[number], offsets) != (expected.ids, expected.offsets):
            unlike.append((texts[number], tokenizer.pieces(tokens[number]), expected.tokens))
    assert not unlike, (len(unlike), unlike[:3])


def test_equals_the_library(pair):
    assert_equal(*pair, TEXTS + list(random_texts(2000)))


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
@pytest.mark.parametrize("chinese", [True, False])
def test_every_character(lowercase, strip_accents, chinese):
    """All of Unicode, eighty characters a text, each between two letters."""
    normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=chinese,
        strip_accents=strip_accents,
        lowercase=lowercase,
    )
    cut = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    numbers = [
        number
        for number in range(0x110000)
        if not 0xD800 <= number < 0xE000
        # Unassigned and private ones stand in long rows.
        and (unicodedata.category(chr(number)) not in ("Cn", "Co") or number % 16 == 0)
    ]
    texts = [
        " ".join(f"a{chr(number)}b" for number in numbers[begin : begin + 80])
        for begin in range(0, len(numbers), 80)
    ]
    found = WordSplitter(lowercase, strip_accents, chinese)(tf.constant(texts))
    rows = tf.RaggedTensor.from_row_splits(found.text, found.row_splits)
    for text, words in zip(texts, rows.to_list(), strict=True):
        expected = [word for word, _ in cut(normalizer.normalize_str(text))]
        assert [word.decode() for word in words] == expected, ascii(text)


@pytest.mark.parametrize("strip_accents", [True, False])
def test_accents_apart_from_case(strip_accents):
    vocabulary = [*SPECIAL_TOKENS, *"aouäöüAÄ", "##ö", "##o", "##u", "##ü"]
    for lowercase in (True, False):
        tokenizer = WordPieceTokenizer(vocabulary, lowercase, strip_accents)
        oracle = theirs(vocabulary, lowercase, strip_accents=strip_accents)
        assert_equal(tokenizer, oracle, ["Äö üu", "A\u0308o u\u0308", "İ"])
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, "我", "们", "我们"], True, None, False)
    assert tokenizer.pieces(tokenizer(tf.constant(["我们"]))[0].numpy()) == ["我们"]


def real_texts(folder):
    """10,000 sentences and more of the data folder."""
    texts = []
    for name, count in (("sst2/train.tsv", 1500), ("chnsenticorp/train.tsv", 2000)):
        lines = (folder / name).read_text(encoding="utf-8").split("\n")[1 : count + 1]
        texts += [line.rpartition("\t")[0] for line in lines]
    for language in ("en", "de", "fr"):
        texts += (folder / f"multi30k/train.{language}").read_text("utf-8").split("\n")[:1500]
    for line in (folder / "tatoeba_en_zh/train.tsv").read_text("utf-8").split("\n")[-1500:]:
        texts += line.split("\t")
    with gzip.open(folder / "msra_zh_news/msra_zh_news.txt.gz", "rt", encoding="utf-8") as file:
        texts += [line for line, _ in zip(file, range(500), strict=False)]
    return texts


@pytest.mark.parametrize("lowercase", [True, False])
def test_real_sentences(real_data, lowercase):
    texts = real_texts(real_data) + list(random_texts(2000, seed=5))
    assert len(texts) > 12_000
    vocabulary = learn_wordpiece(texts, 12_000, lowercase, limit_alphabet=4000)
    tokenizer, oracle = WordPieceTokenizer(vocabulary, lowercase), theirs(vocabulary, lowercase)
    assert_equal(tokenizer, oracle, texts)


def test_a_named_special_token_is_text(pair):
    tokenizer, _ = pair
    ids = tokenizer(tf.constant(["[MASK] [CLS][SEP] [PAD]"]))
    assert not set(ids.values.numpy().tolist()) & set(tokenizer.special_tokens) - {tokenizer.unk}


def test_invalid_utf8_is_left_out(pair):
    tokenizer, _ = pair
    tokens, starts, ends = tokenizer.tokenize_with_offsets(
        tf.constant([b"a\xff\xfe b", b"\xe4\xbd"])
    )
    assert [tokenizer.pieces(row) for row in tokens.to_list()] == [["a", "b"], []]
    assert (starts.to_list(), ends.to_list()) == ([[0, 4], []], [[1, 5], []])


def test_words(pair):
    tokenizer, oracle = pair
    sentences = [["Hello,", "world!", "\u200b", "我们"], [], ["U.S.", ""]]
    tokens, index, _ = tokenizer.tokenize_words(tf.ragged.constant(sentences, tf.string))
    assert tokens.dtype == index.dtype == tf.int32
    for words, ids, indices in zip(sentences, tokens.to_list(), index.to_list(), strict=True):
        expected = [oracle.encode(word, add_special_tokens=False).ids for word in words]
        expected = [ids or [tokenizer.unk] for ids in expected]
        assert ids == [token for piece in expected for token in piece]
        assert indices == [number for number, piece in enumerate(expected) for _ in piece]


def test_empty_batch(pair):
    tokenizer, _ = pair
    assert tokenizer(tf.constant([], tf.string)).shape[0] == 0
    assert tokenizer.pack(tokenizer(tf.constant([], tf.string)))["token_ids"].shape[0] == 0


@pytest.mark.parametrize("max_length", [3, 4, 7, 8, 16, 40])
def test_pack_equals_the_library(pair, max_length):
    tokenizer, oracle = pair
    generator = random.Random(max_length)
    sizes = [(generator.randrange(20), generator.randrange(20)) for _ in range(200)]
    firsts = [" ".join("abcdefghij"[n % 10] for n in range(a)) for a, _ in sizes]
    seconds = [" ".join("klmnopqrst"[n % 10] for n in range(b)) for _, b in sizes]
    oracle.enable_truncation(max_length)
    oracle.enable_padding(pad_id=tokenizer.pad)
    try:
        single = oracle.encode_batch(firsts)
        both = oracle.encode_batch(list(zip(firsts, seconds, strict=True)))
    finally:
        oracle.no_truncation()
        oracle.no_padding()
    first, second = tokenizer(tf.constant(firsts)), tokenizer(tf.constant(seconds))
    for expected, packed in (
        (single, tokenizer.pack(first, max_length=max_length)),
        (both, tokenizer.pack(first, second, max_length)),
    ):
        assert packed["token_ids"].dtype == packed["segment_ids"].dtype == tf.int32
        np.testing.assert_array_equal(packed["token_ids"], [row.ids for row in expected])
        np.testing.assert_array_equal(packed["segment_ids"], [row.type_ids for row in expected])


def test_no_room_for_special_tokens(pair):
    tokenizer, _ = pair
    tokens = tokenizer(tf.constant(["a"]))
    with pytest.raises(ValueError, match="max_length is 2, but 3 tokens are special"):
        tokenizer.pack(tokens, tokens, max_length=2)


def test_properties(pair):
    tokenizer, _ = pair
    names = tokenizer.vocabulary
    assert [names[number] for number in tokenizer.special_tokens] == list(SPECIAL_TOKENS)
    assert tokenizer.vocabulary_size == len(names)
    suffixes = {names[n] for n in np.flatnonzero(tokenizer.is_suffix)}
    assert "##ing" in suffixes and not suffixes & {"#", "##", "ing"}


@pytest.mark.parametrize(
    "vocabulary, message",
    [
        (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"], r"no \[MASK\] in it"),
        ([*SPECIAL_TOKENS, "a", "b", "a"], "line 8: 'a' is in line 6 already"),
        ([*SPECIAL_TOKENS, "", "b"], "line 6: empty"),
        ([*SPECIAL_TOKENS, "a\0"], "line 6: a token with a NUL byte"),
    ],
)
def test_what_is_no_vocabulary(vocabulary, message):
    with pytest.raises(KerasuiteError, match=message):
        WordPieceTokenizer(vocabulary, True)


def test_a_seed_set_later_changes_nothing(pair):
    tokenizer, _ = pair
    before = tokenizer(tf.constant(TEXTS)).to_list()
    keras.utils.set_random_seed(3)
    assert tokenizer(tf.constant(TEXTS)).to_list() == before


SCRIPT = """
import sys
import tensorflow as tf
import tensorflow_text
texts = tf.constant(["Straße 🍕 été，我们", "", "Hello world"])
for path in sys.argv[1:]:
    loaded = tf.saved_model.load(path)
    packed = loaded.pack(texts)["token_ids"].numpy().tolist()
    print(packed, [row.to_list() for row in loaded.offsets(texts)])
assert not any(name.split(".")[0] in ("shared", "apps", "tokenizers") for name in sys.modules)
"""


def module_of(tokenizer):
    spec = [tf.TensorSpec([None], tf.string)]
    module = tf.Module()
    module.tokenizer = tokenizer
    module.pack = tf.function(lambda text: tokenizer.pack(tokenizer(text), max_length=9), spec)
    module.offsets = tf.function(tokenizer.tokenize_with_offsets, spec)
    return module


def test_saved_models_in_a_fresh_process(tmp_path):
    texts = tf.constant(["Straße 🍕 été，我们", "", "Hello world"])
    paths, expected = [], []
    for lowercase in (True, False):
        tokenizer, _ = pair_of(lowercase)
        paths.append(str(tmp_path / f"lowercase_{lowercase}"))
        tf.saved_model.save(module_of(tokenizer), paths[-1])
        packed = tokenizer.pack(tokenizer(texts), max_length=9)["token_ids"].numpy().tolist()
        offsets = [rows.to_list() for rows in tokenizer.tokenize_with_offsets(texts)]
        expected.append(f"{packed} {offsets}")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *paths],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == expected
