"""Analogies against gensim."""

import math

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec
from gensim.test.utils import datapath

from apps.embeddings.corpus.corpus import Corpus
from apps.embeddings.vectors.word_analogies import (
    evaluate,
    is_questions,
    read_analogies,
    standard_files,
)
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError

QUESTIONS = standard_files()[0]


def shifted_vectors():
    """Vectors in which most analogies hold, with words in several spellings and noise."""
    generator = np.random.default_rng(2)
    sections, questions = read_analogies(QUESTIONS)
    shifts = generator.normal(size=(len(sections), 2, 30))
    known = {}
    for number, (a, b, c, d) in questions[::7]:
        for left, right in ((a, b), (c, d)):
            base = known.setdefault(left, generator.normal(size=30))
            known.setdefault(right, base + shifts[number, 0] + generator.normal(size=30) * 0.5)
    words = list(known)[: len(known) * 3 // 4]
    spelt = [*map(str.lower, words), *words[::5], *map(str.title, words[::3])]
    rows = np.array([known[word.upper()] for word in spelt])
    keyed = KeyedVectors(30)
    keyed.add_vectors(spelt, (rows + generator.normal(size=rows.shape) * 0.3).astype(np.float32))
    return keyed


def lee_vectors():
    documents = list(Corpus([datapath("lee_background.cor")]))
    return Word2Vec(documents, vector_size=30, min_count=2, epochs=10, workers=1, seed=1).wv


@pytest.mark.parametrize("make", [shifted_vectors, lee_vectors])
@pytest.mark.parametrize("restrict_vocab", [300_000, 700])
def test_equals_gensim(tmp_path, make, restrict_vocab):
    path = tmp_path / "questions.txt"
    lines = QUESTIONS.read_text().splitlines()
    path.write_text("\n".join(line for i, line in enumerate(lines) if line[0] == ":" or i % 8 == 1))
    keyed = make()
    _, sections = keyed.evaluate_word_analogies(str(path), restrict_vocab=restrict_vocab)
    ours = evaluate(
        WordVectors(keyed.index_to_key, keyed.vectors), path, restrict_vocab=restrict_vocab
    )
    for score, truth in zip([*ours.sections, ours.total], sections, strict=True):
        correct = len(truth["correct"])
        assert (score.correct, score.asked) == (correct, correct + len(truth["incorrect"]))
    assert ours.total.asked > 0


def test_3cosmul_equals_gensim(tmp_path):
    keyed = shifted_vectors()
    words = [word for word in keyed.index_to_key if word.islower()]
    keyed = keyed.vectors_for_all(words)
    known, generator = set(words), np.random.default_rng(0)
    _, questions = read_analogies(QUESTIONS)
    rows = [tuple(map(str.lower, row)) for _, row in questions if {w.lower() for w in row} <= known]
    rows = [rows[index] for index in generator.choice(len(rows), 300, replace=False)]
    (tmp_path / "q.txt").write_text(": all\n" + "\n".join(map(" ".join, rows)))
    correct = sum(
        keyed.most_similar_cosmul(positive=[b, c], negative=[a], topn=1)[0][0] == d
        for a, b, c, d in rows
    )
    score = evaluate(WordVectors(words, keyed.vectors), tmp_path / "q.txt", "3cosmul").total
    assert (score.correct, score.asked) == (correct, 300)
    assert 0 < correct < 300


def test_nothing_known():
    scores = evaluate(WordVectors(["x"], [[1.0]]), QUESTIONS)
    assert (scores.total.asked, scores.total.questions, len(scores.sections)) == (0, 19_544, 14)
    assert math.isnan(scores.total.accuracy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (": s\na b c d\na b c\n", "q.txt, row 3: expected four words"),
        ("a b c d\n", "q.txt, row 1: expected four words below a line ': SECTION'"),
        (": s\n", "holds no questions"),
    ],
)
def test_malformed_file(tmp_path, text, message):
    (tmp_path / "q.txt").write_text(text)
    with pytest.raises(KerasuiteError, match=message):
        read_analogies(tmp_path / "q.txt")


def test_other_errors(tmp_path):
    with pytest.raises(KerasuiteError, match="cannot be read"):
        read_analogies(tmp_path / "none.txt")
    with pytest.raises(KerasuiteError, match="unknown method"):
        evaluate(WordVectors(["x"], [[1.0]]), QUESTIONS, "cosine")
    assert is_questions(QUESTIONS) and not is_questions(datapath("wordsim353.tsv"))


@pytest.mark.parametrize("comment", ["// Copyright 2013\n", "# a remark\n", "\n\n", "\ufeff\n//\n"])
def test_comments_and_blank_lines(tmp_path, comment):
    path = tmp_path / "q.txt"
    path.write_text(f"{comment}: one\na b c d\n{comment.lstrip(chr(0xFEFF))}\ne f g h\n")
    assert is_questions(path)
    assert read_analogies(path) == (["one"], [(0, list("ABCD")), (0, list("EFGH"))])
