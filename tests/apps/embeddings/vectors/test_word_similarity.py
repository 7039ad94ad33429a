"""Word similarity against its definition."""

import math

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec
from gensim.test.utils import datapath
from scipy.stats import spearmanr

from apps.embeddings.corpus.corpus import Corpus
from apps.embeddings.vectors.pair_scores import read_pairs
from apps.embeddings.vectors.word_similarity import evaluate, standard_files
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError


def random_vectors():
    """Half of the words of the sets, in several spellings."""
    pairs = [pair for path in standard_files().values() for pair in read_pairs(path)]
    words = sorted({word for first, second, _ in pairs for word in (first, second)})
    words = [*map(str.lower, words[::2]), *words[::3], *map(str.title, words[1::4])]
    generator = np.random.default_rng(1)
    keyed = KeyedVectors(20)
    keyed.add_vectors(words, generator.normal(size=(len(words), 20)).astype(np.float32))
    return keyed


def lee_vectors():
    documents = list(Corpus([datapath("lee_background.cor")]))
    return Word2Vec(documents, vector_size=20, min_count=3, workers=1, seed=1).wv


@pytest.mark.parametrize("name", ["wordsim353", "simlex999"])
@pytest.mark.parametrize("make", [random_vectors, lee_vectors])
@pytest.mark.parametrize("restrict_vocab", [300_000, 400])
def test_equals_the_definition(name, make, restrict_vocab):
    keyed, path = make(), standard_files()[name]
    first = {word.upper(): word for word in reversed(keyed.index_to_key[:restrict_vocab])}
    pairs = read_pairs(path)
    covered = [(first[a], first[b], score) for a, b, score in pairs if a in first and b in first]
    cosines = [keyed.similarity(a, b) for a, b, _ in covered]
    truth = spearmanr(cosines, [score for _, _, score in covered])[0]
    found = evaluate(WordVectors(keyed.index_to_key, keyed.vectors), path, restrict_vocab)
    assert found.spearman == pytest.approx(truth, abs=1e-6)
    assert (found.pairs, found.all_pairs) == (len(covered), len(pairs))


def test_nothing_known():
    score = evaluate(WordVectors(["x"], [[1.0]]), standard_files()["wordsim353"])
    assert math.isnan(score.spearman) and (score.pairs, score.all_pairs) == (0, 353)


@pytest.mark.parametrize("row", ["a\tb", "a b 1", "a\tb\tx", "a\tb\tnan", "a\tb\t1\t2"])
def test_malformed_row(tmp_path, row):
    path = tmp_path / "p.tsv"
    path.write_text(f"Word 1\tWord 2\tHuman\na\tb\t3\n{row}\n")
    with pytest.raises(KerasuiteError, match=r"p\.tsv, row 3: expected word<TAB>word<TAB>score"):
        read_pairs(path)


def test_marks_titles_and_comments(tmp_path):
    """A byte order mark, titles, comments and empty lines are no pairs."""
    path = tmp_path / "p.tsv"
    path.write_text("\ufeffWord 1\tWord 2\tHuman\n# note\n\na\tb\t1\na\tc\t2\nb\tc\t3\n")
    vectors = WordVectors(["a", "b", "c"], [[1, 0], [0, 1], [0.5, 1]])
    score = evaluate(vectors, path)
    assert (score.spearman, score.pairs, score.all_pairs) == (pytest.approx(1), 3, 3)
    path.write_text("\ufeffa\tb\t1\na\tc\t2\n")
    assert evaluate(vectors, path).pairs == 2
    path.write_text("a\tb\tnan\na\tc\t2\n")
    with pytest.raises(KerasuiteError, match="row 1"):
        read_pairs(path)


def test_no_pairs(tmp_path):
    path = tmp_path / "p.tsv"
    with pytest.raises(KerasuiteError, match="p.tsv: No such file"):
        read_pairs(path)
    path.write_text("# nothing\n")
    with pytest.raises(KerasuiteError, match="holds no pairs"):
        read_pairs(path)


PAIRS = [("OLD", "NEW", 1.5), ("SMART", "WISE", 9.25), ("HARD", "EASY", 2.0)]
SIMLEX = "word1\tword2\tPOS\tSimLex999\tconc(w1)\tconc(w2)\tconcQ\tAssoc(USF)\tSimAssoc333\tSD"


@pytest.mark.parametrize(
    ("titles", "row"),
    [
        ("", "{}\t{}\t{}"),
        ("", "{} {} {}"),  # MEN, natural form
        ("", "{}-n {}-v {}"),  # MEN, lemma form
        ("Word 1,Word 2,Human (mean)", "{},{},{}"),
        ("word1;word2;score", "{};{};{}"),
        (SIMLEX, "{}\t{}\tA\t{}\t2.72\t2.81\t2\t7.25\t1\t0.41"),
        ("", "{}\t{}\t{}\t5\t7\t9"),  # rare words, with the judges behind the mean
        ("// a remark", "{}\t{}\t{}"),
        ("\r\n# a remark\r", "{}\t{}\t{}\r"),
    ],
)
def test_layouts(tmp_path, titles, row):
    rows = [row.format(first.lower(), second.lower(), score) for first, second, score in PAIRS]
    path = tmp_path / "p.txt"
    path.write_text("\n".join([*filter(None, [titles]), *rows]) + "\n", newline="")
    assert read_pairs(path) == PAIRS
