"""RoBERTa: tokens, offsets, tensors, and use as a run."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps.bert.byte_level_tokenizer import ByteLevelTokenizer
from apps.bert.checkpoint.hugging_face import read_hugging_face
from apps.bert.checkpoint.tokenizer_files import load_tokenizer
from apps.bert.checkpoint.weights import checked_tensors
from shared.text.byte_level_files import ByteLevelVocabulary
from tests.apps.bert.checkpoint.random_roberta import (
    MERGES,
    NAMES,
    POSITIONS,
    masked_lm_tensors,
    roberta_tensors,
    write_roberta,
)
from tests.in_process import run_command
from tests.shared.text.test_byte_level_bpe import real_texts

TEXTS = [
    "in the other house, they'll be in Paris (the one).",
    " the\n\n Über 猫, don't",
    "🍕  they'll\t123 Paris 3pm",
    "",
    "   ",
    "a\u00a0b \U0001f468\u200d\U0001f469 e\u0301é Ġ Ċ",
]


def expect(done, code=0):
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roberta")
    write_roberta(folder / "in", roberta_tensors(masked_lm_tensors()))
    done = expect(run_command("bert", "import", folder / "in", "--output", folder / "run"))
    assert "byte-level tokens, cased" in done.stdout and "Left out" not in done.stdout
    return folder / "run"


@pytest.fixture(scope="module")
def tokenizer(imported):
    return load_tokenizer(imported)


@pytest.fixture(scope="module")
def theirs():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    numbers = {name: number for number, name in enumerate(NAMES)}
    found = Tokenizer(models.BPE(numbers, MERGES))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    found.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    return found


def their_ids(rows):
    """Our numbers of tokens as theirs: the first and the padding change places."""
    order = np.array([1, 0, *range(2, len(NAMES))])
    return [order[row].tolist() for row in rows]


def test_tokens_and_offsets(tokenizer, theirs):
    found = [rows.to_list() for rows in tokenizer.tokenize_with_offsets(tf.constant(TEXTS))]
    for text, ids, starts, ends in zip(TEXTS, their_ids(found[0]), *found[1:], strict=True):
        expected = theirs.encode(text)
        assert ids == expected.ids[1:-1]
        assert list(zip(starts, ends, strict=True)) == expected.offsets[1:-1]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_real_texts(real_data, count):
    """With a vocabulary that was learnt on some of them."""
    from tokenizers import ByteLevelBPETokenizer, processors

    # Theirs looks for special tokens in a text, ours does not.
    texts = [text for text in real_texts(real_data, count) if "<unk>" not in text]
    theirs = ByteLevelBPETokenizer()
    theirs.train_from_iterator(
        texts[:300], 1500, show_progress=False, special_tokens=["<pad>", "<unk>", "<s>", "</s>"]
    )
    theirs.add_special_tokens(["<mask>"])
    theirs.post_processor = processors.ByteLevel(trim_offsets=True)
    model = json.loads(theirs.to_str())["model"]
    names = [*sorted(model["vocab"], key=model["vocab"].get), "<mask>"]
    merges = [tuple(m.split(" ") if isinstance(m, str) else m) for m in model["merges"]]
    ours = ByteLevelTokenizer(ByteLevelVocabulary(names, merges))
    for begin in range(0, len(texts), 500):
        part = texts[begin : begin + 500]
        found = [rows.to_list() for rows in ours.tokenize_with_offsets(tf.constant(part))]
        for text, ids, starts, ends, row in zip(
            part, *found, theirs.encode_batch(part), strict=True
        ):
            assert ids == row.ids, text
            assert list(zip(starts, ends, strict=True)) == row.offsets, text


def test_pairs(tokenizer, theirs):
    first, second = TEXTS[:3], TEXTS[1:4]
    theirs.enable_truncation(16)
    theirs.enable_padding(pad_id=1, pad_token="<pad>")
    try:
        single = theirs.encode_batch(first)
        pairs = theirs.encode_batch(list(zip(first, second, strict=True)))
    finally:
        theirs.no_truncation()
        theirs.no_padding()
    tokens = tokenizer(tf.constant(first)), tokenizer(tf.constant(second))
    alone = tokenizer.pack(tokens[0], None, 16)["token_ids"].numpy()
    assert their_ids(alone) == [row.ids for row in single]
    both = tokenizer.pack(*tokens, 16)
    assert their_ids(both["token_ids"].numpy()) == [row.ids for row in pairs]
    # The second text and its end.
    ends = both["segment_ids"].numpy()
    assert [
        row[np.argmax(second) - 1]
        for row, second in zip(both["token_ids"].numpy(), ends, strict=True)
    ] == [tokenizer.sep] * 3


def test_words_are_those_of_the_text(tokenizer):
    """Tagged words have the tokens that the text has."""
    words = [["in", "Paris", "(", "U.N.", ")"], ["", "don't"], []]
    tokens, index, leads = tokenizer.tokenize_words(tf.ragged.constant(words, tf.string))
    text, _, _, begins = tokenizer.tokenize_with_leads(tf.constant(["in Paris ( U.N. )"]))
    assert tokens[0].numpy().tolist() == text[0].numpy().tolist()
    assert leads[0].numpy().tolist() == begins[0].numpy().tolist()
    spelled = tokenizer.pieces(tokens[0].numpy())
    assert spelled == ["in", "ĠParis", "Ġ", "(", "Ġ", "U", ".", "N", ".", "Ġ", ")"]
    assert index[0].numpy().tolist() == [0, 1, 2, 2, 3, 3, 3, 3, 3, 4, 4]
    assert leads[0].numpy().tolist() == [True, True, True, False, True, False] + [True] * 4 + [
        False
    ]
    assert tokens[1][0] == tokenizer.unk and index[1].numpy().tolist()[0] == 0
    assert tokens[2].shape == (0,)


def test_tensors_and_numbers(tmp_path, imported):
    """Those of the BERT that the RoBERTa was made of."""
    bert = masked_lm_tensors()
    checkpoint = read_hugging_face(imported.parent / "in")
    tensors, missing = checked_tensors(checkpoint)
    assert missing == ["next-sentence head"]
    for name, tensor in tensors.items():
        given = bert[name if name.startswith("cls.") else f"bert.{name}"]
        np.testing.assert_array_equal(tensor, given)
    assert checkpoint.config.max_positions == POSITIONS
    assert checkpoint.vocabulary[:2] == ["<pad>", "<s>"]


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"pad_token_id": 3}, {}, "its tokens have no <pad> at number 3; they are not RoBERTa's"),
        ({"max_position_embeddings": 2}, {}, "max_position_embeddings is 2, not a number above 2"),
        ({"vocab_size": 9}, {}, "tokens, the model only 9"),
        ({}, {"add_prefix_space": True}, "add_prefix_space true is not supported"),
        ({}, {"tokenizer_class": "LlamaTokenizer"}, "'LlamaTokenizer' is not RoBERTa's"),
    ],
)
def test_bad_folders(tmp_path, changes, settings, message):
    folder = write_roberta(tmp_path / "in", {"x": np.zeros(1, np.float32)}, **changes)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    done = run_command("bert", "import", folder, "--output", tmp_path / "run")
    assert done.returncode == 1 and message in done.stderr


def test_what_it_cannot_be(imported, tmp_path):
    for arguments, message in (
        (("export-hf", imported, "--output", tmp_path / "out"), "which no BERT of Hugging Face"),
        (
            ("import", imported.parent / "in", "--output", tmp_path / "out", "--lowercase"),
            "its byte-level tokens are never lower-cased",
        ),
    ):
        done = run_command("bert", *arguments)
        assert done.returncode == 1 and message in done.stderr


CONLL = "".join(f"the{n} O\nPar B-LOC\nis I-LOC\nin O\nParis B-LOC\n. O\n\n" for n in range(12))
QUESTIONS = [
    {
        "id": str(number),
        "question": "in the other?",
        "answers": [{"text": "Paris", "answer_start": 22}],
    }
    for number in range(2)
]
SQUAD = {
    "version": "1.1",
    "data": [
        {
            "title": f"t{n}",
            "paragraphs": [
                {
                    "context": f"the other house is in Paris (the one) and there they'll be {n}.",
                    "qas": [question | {"id": f"{n}-{question['id']}"} for question in QUESTIONS],
                }
            ],
        }
        for n in range(8)
    ],
}
PAIRS = "text\ttext_pair\tlabel\n" + "".join(
    f"the one {n}\tin Paris\tyes\nno {n}\tthe other\tno\n" for n in range(12)
)
TASKS = {
    "texts": ("a.tsv", PAIRS, {"text": ["in"], "text_pair": ["Paris"]}),
    "tags": ("a.conll", CONLL, {"text": ["the house in Paris."]}),
    "questions": ("a.json", json.dumps(SQUAD), {"question": ["in?"], "context": ["in Paris."]}),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TASKS)
def test_it_is_fine_tuned_and_exported(imported, tmp_path, kind):
    name, content, inputs = TASKS[kind]
    (tmp_path / name).write_text(content)
    run = tmp_path / "run"
    expect(run_command("bert", "finetune", tmp_path / name, "--preset", "test", "--init", imported,
                       "--epochs", 1, "--max-length", 24, "--output", run))  # fmt: skip
    expect(run_command("bert", "evaluate", run))
    expect(run_command("bert", "export", run, "--output", tmp_path / "out"))
    (export,) = (tmp_path / "out").glob("**/saved_model.pb")
    loaded = tf.saved_model.load(export.parent)
    outputs = loaded.signatures["serving_default"](**{k: tf.constant(v) for k, v in inputs.items()})
    if kind == "questions":
        start, end = int(outputs["start"][0]), int(outputs["end"][0])
        assert "in Paris."[start:end] == outputs["answer"][0].numpy().decode()
    if kind == "tags":
        for start, end, text in zip(
            *(outputs[f"span_{part}"][0].numpy() for part in ("start", "end", "text")), strict=True
        ):
            assert "the house in Paris."[start:end] == text.decode() == text.decode().strip()
    assert (export.parent / "assets.extra" / "merges.txt").is_file()
