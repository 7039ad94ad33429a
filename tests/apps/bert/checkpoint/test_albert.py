"""ALBERT: tokens, offsets, hidden states, and use as a run."""

import io
import json
import sys

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
from sentencepiece import sentencepiece_model_pb2

from apps.bert.checkpoint.hugging_face import read_hugging_face
from apps.bert.checkpoint.tokenizer_files import load_tokenizer, make_tokenizer
from apps.bert.checkpoint.weights import load_encoder
from tests.apps.bert.checkpoint.encoders import encoder_of
from tests.apps.bert.checkpoint.random_checkpoints import BERT_CONFIG, random_batch
from tests.apps.bert.checkpoint.test_roberta import TASKS
from tests.in_process import run_command
from tests.shared.text.test_byte_level_bpe import real_texts

SENTENCES = [
    f"{a} {b} {c}"
    for a in ("the other house", "Anna's garden", "they will be", "Uber die Strasse")
    for b in ("is in Paris,", "is not (the one)", "goes to work", "123 times")
    for c in ("there.", "and back!", "again", "with a friend; why?")
]
TEXTS = [
    "In the other house, they will be (there).",
    "  Über\u00a0die\tStraße ﬁnd １２３ e\u0301é ½ ㎏",
    "``Anna's'' ''garden''",
    "中文 🍕 \u200b x",
    "",
    "   ",
]
WIDTH, NARROW = 32, 12


def write_pieces(folder, sentences=tuple(SENTENCES), size=120):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(text.lower() for text in sentences),
        model_writer=model,
        vocab_size=size,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]"],
        user_defined_symbols=["[MASK]"],
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(model.getvalue())
    settings = {"tokenizer_class": "AlbertTokenizer", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return model.getvalue()


def their_tokenizer(model):
    """As transformers makes it of the model."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    read = sentencepiece_model_pb2.ModelProto.FromString(model)
    found = Tokenizer(models.Unigram([(p.piece, p.score) for p in read.pieces], 1, False))
    found.normalizer = normalizers.Sequence(
        [
            normalizers.Replace("``", '"'),
            normalizers.Replace("''", '"'),
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Precompiled(read.normalizer_spec.precompiled_charsmap),
        ]
    )
    found.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    return found


def assert_equal(ours, theirs, texts):
    found = [rows.to_list() for rows in ours.tokenize_with_offsets(tf.constant(texts))]
    for text, ids, starts, ends, row in zip(texts, *found, theirs.encode_batch(texts), strict=True):
        assert ids == row.ids, text
        for token, start, end, offsets in zip(row.tokens, starts, ends, row.offsets, strict=True):
            # The sign for a space alone has no text.
            assert token == "▁" or (start, end) == offsets, (text, token)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pieces")
    model = write_pieces(folder)
    return load_tokenizer(folder), their_tokenizer(model)


def test_tokens_and_offsets(pieces):
    assert_equal(*pieces, TEXTS[:1] + TEXTS[2:3])
    ours, theirs = pieces
    for text, ids in zip(TEXTS, ours(tf.constant(TEXTS)).to_list(), strict=True):
        assert ids == theirs.encode(text).ids, text


def test_words(pieces):
    ours = pieces[0]
    words = tf.ragged.constant([["in", "Paris", "U.N."], ["", "x"], []], tf.string)
    tokens, index, leads = ours.tokenize_words(words)
    spelled = "".join(ours.pieces(tokens[0].numpy()))
    assert spelled.startswith("▁in▁paris▁") and set(index[0].numpy()) == {0, 1, 2}
    assert leads[0].numpy()[0] and tokens[1][0] == ours.unk and tokens[2].shape == (0,)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_real_texts(real_data, tmp_path, count):
    """With a vocabulary learnt on some of them; some words, as "iii", have two best ways."""
    texts = [text[:400] for text in real_texts(real_data, count) if "<unk>" not in text]
    model = write_pieces(tmp_path, [" ".join(text.split()) for text in texts[:300]], 2500)
    ours, theirs = load_tokenizer(tmp_path), their_tokenizer(model)
    read = sentencepiece_model_pb2.ModelProto.FromString(model)
    scores, ties = np.array([piece.score for piece in read.pieces]), 0
    for begin in range(0, len(texts), 500):
        part = texts[begin : begin + 500]
        found = ours(tf.constant(part)).to_list()
        for text, ids, row in zip(part, found, theirs.encode_batch(part), strict=True):
            if ids != row.ids:
                assert scores[ids].sum() == pytest.approx(scores[row.ids].sum(), abs=1e-3), text
                ties += 1
    assert ties < len(texts) / 100


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A random ALBERT of PyTorch, and its folder."""
    sys.modules.setdefault("triton", None)
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `oracle`)")
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed (extra `oracle`)"
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("albert")
    model = write_pieces(folder / "in")
    size = sentencepiece.SentencePieceProcessor(model_proto=model).vocab_size()
    names = (name for name in BERT_CONFIG if name not in ("model_type", "architectures"))
    settings = {name: BERT_CONFIG[name] for name in names}
    settings |= {"vocab_size": size, "embedding_size": NARROW, "hidden_act": "gelu_new"}
    config = transformers.AlbertConfig(**settings, initializer_range=0.2, inner_group_num=1)
    theirs = transformers.AlbertForMaskedLM(config).eval()
    theirs.save_pretrained(folder / "in")
    return torch, theirs, folder


def test_hidden_states(both):
    torch, theirs, folder = both
    checkpoint = read_hugging_face(folder / "in")
    encoder = encoder_of(checkpoint)
    missing = load_encoder(checkpoint, encoder)
    assert missing in ([], ["pooler"])
    assert len(encoder.blocks) == checkpoint.config.num_layers > 1
    assert len({id(block) for block in encoder.blocks}) == 1
    batch = random_batch()
    ids = torch.tensor(batch["token_ids"], dtype=torch.long)
    segments = torch.tensor(batch["segment_ids"], dtype=torch.long)
    with torch.no_grad():
        expected = theirs(
            ids, attention_mask=ids != 0, token_type_ids=segments, output_hidden_states=True
        )
    real = batch["token_ids"] != 0
    outputs = encoder(batch, output_hidden_states=True)
    for ours, theirs_ in zip(outputs["hidden_states"], expected.hidden_states, strict=True):
        np.testing.assert_allclose(np.asarray(ours)[real], theirs_.numpy()[real], atol=1e-4, rtol=0)
    assert make_tokenizer(checkpoint).vocabulary_size == len(checkpoint.vocabulary)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TASKS)
def test_it_is_fine_tuned_and_exported(both, tmp_path, kind):
    folder = both[2]
    if not (folder / "run").exists():
        done = run_command("bert", "import", folder / "in", "--output", folder / "run")
        assert done.returncode == 0, done.stderr
        assert "SentencePiece tokens, lower-cased" in done.stdout
    name, content, inputs = TASKS[kind]
    (tmp_path / name).write_text(content)
    for arguments in (
        ("finetune", tmp_path / name, "--preset", "test", "--init", folder / "run", "--epochs", 1,
         "--max-length", 16, "--output", tmp_path / "run"),
        ("evaluate", tmp_path / "run"),
        ("export", tmp_path / "run", "--output", tmp_path / "out"),
    ):  # fmt: skip
        done = run_command("bert", *arguments)
        assert done.returncode == 0, done.stderr
    (export,) = (tmp_path / "out").glob("**/saved_model.pb")
    loaded = tf.saved_model.load(export.parent)
    outputs = loaded.signatures["serving_default"](**{k: tf.constant(v) for k, v in inputs.items()})
    assert outputs
    done = run_command("bert", "export-hf", tmp_path / "run", "--output", tmp_path / "hf")
    assert done.returncode == 1 and "which no BERT of Hugging Face has" in done.stderr
