"""The whole application: train, judge, serve, predict, convert, search."""

import gzip
import json

import numpy as np
import pytest
import tensorflow as tf

from apps.embeddings import tools
from apps.embeddings.app import EmbedApp
from apps.embeddings.config import EmbedConfig
from apps.embeddings.corpus.vocabulary import Vocabulary
from apps.embeddings.data import PHRASES, VOCABULARY, prepare_corpus, text_words
from apps.embeddings.evaluator import EmbeddingEvaluator, Judgements
from apps.embeddings.serving import EmbeddingServing
from apps.embeddings.vectors.document_vectors import sif_weights
from apps.embeddings.vectors.vector_files import read_vectors
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine import verbs
from shared.engine.app import App
from shared.engine.run import load_best, open_run
from shared.engine.training.train import train
from shared.testing.app_test import read_lines
from tests.apps.embeddings.vectors.test_document_vectors import sif_by_hand
from tests.in_process import run_command

TOPICS = ("red green blue pink grey", "one two three four five", "cat dog cow hen pig")


def write_topics(path, documents=300):
    """Documents of one topic each; words of a topic are used alike, others never together."""
    generator = np.random.default_rng(0)
    lines = []
    for index in range(documents):
        words = TOPICS[index % len(TOPICS)].split()
        lines.append(" ".join(generator.choice(words, 20)))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def config(corpus, **overrides):
    base = {"preset": "test", "data": (str(corpus),)}
    if overrides.get("model.algorithm") != "glove":
        base["model.subsample"] = 0.0
    return configs.resolve(EmbedConfig, base | overrides)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_topics(tmp_path_factory.mktemp("corpus") / "topics.txt")


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    """A finished skip-gram run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return train(EmbedApp(), config(corpus, epochs=15, validate_every=5), folder)


@pytest.fixture
def kerasuite():
    """Runs `kerasuite ARGUMENTS...` in this process; returns its exit code and both outputs."""

    def call(*arguments):
        done = run_command(*arguments)
        return done.returncode, done.stdout, done.stderr

    return call


ALGORITHMS = {
    "cbow": {"model.algorithm": "cbow"},
    "hierarchical skipgram": {"model.loss": "hierarchical-softmax"},
    "hierarchical cbow": {"model.algorithm": "cbow", "model.loss": "hierarchical-softmax"},
    "glove": {"model.algorithm": "glove"},
}


def test_words_used_alike_come_together(run):
    """The golden test: the four nearest words of every word are the others of its topic."""
    expect_topics(EmbedApp(), run)


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_every_algorithm_brings_words_used_alike_together(name, corpus, tmp_path):
    app = EmbedApp()
    options = config(corpus, epochs=15, validate_every=15, **ALGORITHMS[name])
    expect_topics(app, train(app, options, tmp_path / "run"))


def expect_topics(app, run):
    vectors = app.word_vectors(load_best(app, open_run(app, run.folder)))
    right = 0
    for topic in TOPICS:
        words = set(topic.split())
        for word in words:
            right += len(words & {other for other, _ in vectors.neighbors(word, 4)})
    assert right >= 0.95 * 15 * 4


def test_run_remembers_the_corpus(run):
    assert run.artifacts["words"] == 15
    assert run.artifacts["corpus_words"] == 6000
    assert Vocabulary.load(run.folder / "vocabulary.txt").counts.sum() == 6000


def test_loss_falls(run):
    rows = [row["loss"] for row in map(dict, read_history(run))]
    assert rows[-1] < rows[0]


def read_history(run):
    from shared.engine.training.history import read_csv

    return read_csv(run.folder / "history.csv")


def test_small_sets_of_pairs_are_not_scored(run):
    assert json.loads((run.folder / "metrics.json").read_text()) == {}


def test_evaluator_collects_batches_in_order():
    vectors = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    evaluator = EmbeddingEvaluator(list("abcdef"), Judgements([], "de"))
    evaluator.update(None, vectors[:4])
    evaluator.update(None, vectors[4:])
    np.testing.assert_array_equal(evaluator.word_vectors.vectors, vectors)
    assert evaluator.result() == {}


def test_own_judgements(tmp_path, run):
    """Pairs of one topic are alike, of two topics are not."""
    words = [topic.split() for topic in TOPICS]
    rows = [f"{a}\t{b}\t9" for topic in words for a in topic for b in topic if a < b]
    rows += [f"{a}\t{b}\t1" for a in words[0] for b in words[1]]
    (tmp_path / "pairs.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "questions.txt").write_text(": colours\nred green blue pink\n")
    app = EmbedApp()
    opened = open_run(app, run.folder)
    files = [str(tmp_path / "pairs.tsv"), str(tmp_path / "questions.txt")]
    app.replace_validation_data(opened, files)
    evaluator = app.evaluator(opened)
    vectors = app.word_vectors(load_best(app, opened))
    evaluator.update(None, vectors.vectors)
    assert evaluator.result()["pairs"] > 0.8
    assert evaluator.report(tmp_path / "report")["questions_asked"] == 1
    assert (tmp_path / "report" / "samples" / "neighbors.html").stat().st_size
    with pytest.raises(KerasuiteError, match="no such file"):
        Judgements(["missing.tsv"])


def test_rows_of_other_words_are_no_start(run, monkeypatch):
    """Tables of one size may belong to other words."""
    started = []
    monkeypatch.setattr(App, "init_weights", lambda self, run, model: started.append(model))
    app = EmbedApp()
    opened = open_run(app, run.folder)
    opened.config = configs.replaced(opened.config, {"init": str(run.folder)})
    model = load_best(app, opened)
    app.init_weights(opened, model)
    words = app.vocabulary.words
    app.vocabulary = Vocabulary([*words[1:], words[0]], app.vocabulary.counts)
    with pytest.raises(KerasuiteError, match="has other words"):
        app.init_weights(opened, model)
    assert started == [model]


# === The SavedModel ===


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    words = ["the", "cat", "sat", "käse", "猫"]
    vectors = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    weights, common = sif_weights(np.array([50, 20, 10, 5, 5])), np.eye(4, dtype="float32")[2]
    words_file = tmp_path_factory.mktemp("words") / "words.txt"
    words_file.write_text("\n".join(words) + "\n", encoding="utf-8")
    return EmbeddingServing(WordVectors(words, vectors), weights, common, words_file, {})


def test_lookup(serving):
    answer = serving.lookup(tf.constant(["猫", "dog", "the", ""]))
    vectors, unknown = serving.vectors.numpy(), np.zeros(4)
    np.testing.assert_array_equal(answer["vector"], [vectors[4], unknown, vectors[0], unknown])
    assert answer["in_vocabulary"].numpy().tolist() == [True, False, True, False]


def test_neighbors_are_those_of_the_definition(serving):
    answer = serving.neighbors(tf.constant(["cat", "dog"]), tf.constant(3))
    vectors = serving.vectors.numpy()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit[1]
    cosines[1] = -np.inf
    best = np.argsort(-cosines)[:3]
    names = [name.decode() for name in answer["neighbors"].numpy()[0]]
    assert names == [serving.words[index] for index in best]
    np.testing.assert_allclose(answer["similarity"].numpy()[0], cosines[best], rtol=1e-5)
    assert answer["neighbors"].numpy()[1].tolist() == [b"", b"", b""]
    assert not answer["similarity"].numpy()[1].any()


def test_neighbors_are_at_most_all_others(serving):
    answer = serving.neighbors(tf.constant(["cat"]), tf.constant(99))
    assert answer["neighbors"].shape == (1, 4)


def test_documents_are_means(serving):
    texts = tf.constant(["the cat unknown", "", "猫  猫 the"])
    vectors = serving.vectors.numpy()
    mean = serving.document(texts)
    expected = [vectors[[0, 1]].mean(0), np.zeros(4), vectors[[4, 4, 0]].mean(0)]
    np.testing.assert_allclose(mean["vector"], expected, rtol=1e-5)
    assert mean["known"].numpy().tolist() == [2, 0, 3]
    weights = sif_weights(np.array([50, 20, 10, 5, 5]))[:, None]
    expected[0] = (vectors[:5] * weights)[[0, 1]].mean(0)
    expected[2] = (vectors[:5] * weights)[[4, 4, 0]].mean(0)
    # Without its third dimension, the common direction of this module.
    expected = np.array(expected) * [1, 1, 0, 1]
    np.testing.assert_allclose(
        serving.sif_document(texts)["vector"], expected, rtol=1e-5, atol=1e-7
    )


# === Commands ===


@pytest.fixture(scope="module")
def saved_model(run, tmp_path_factory):
    """The export of the run, with which `predict` and `search` take the run folder, too."""
    paths = verbs.export(
        "apps.embeddings.app:EmbedApp", run.folder, tmp_path_factory.mktemp("saved_models")
    )
    return paths[""]


def test_vectors_of_run_savedmodel_and_file_are_equal(run, saved_model, tmp_path):
    of_run = tools.load_vectors(run.folder)
    of_model = tools.load_vectors(saved_model.parent)
    tools.convert(run.folder, tmp_path / "vectors.bin", "word2vec-binary")
    of_file = read_vectors(tmp_path / "vectors.bin")
    for other in (of_model, of_file):
        assert other.words == of_run.words
        np.testing.assert_array_equal(other.vectors, of_run.vectors)


def test_predict_and_search(run, saved_model, kerasuite, tmp_path):
    texts = tmp_path / "texts"
    texts.mkdir()
    for index, topic in enumerate(TOPICS):
        (texts / f"{index}.txt").write_text(f"{topic} {topic}")
    output = tmp_path / "out"
    code, _, errors = kerasuite("embed", "predict", run.folder, texts, "--output", output)
    assert code == 0, errors
    rows = read_lines(output / "predictions.jsonl")
    matrix = np.load(output / "vectors.npy")
    np.testing.assert_array_equal(matrix, np.array([row["vector"] for row in rows], "float32"))
    vectors = tools.load_vectors(run.folder)
    expected = np.mean([vectors.vectors[vectors.index(word)] for word in TOPICS[0].split()], axis=0)
    np.testing.assert_allclose(matrix[0], expected, rtol=1e-4, atol=1e-5)
    for part in ("2/2", "1/2"):
        shards = tmp_path / "shards"
        arguments = (run.folder, texts, "--output", shards, "--shard", part)
        code, _, errors = kerasuite("embed", "predict", *arguments)
        assert code == 0, errors
    for name in ("predictions.jsonl", "vectors.npy"):
        assert (shards / name).read_bytes() == (output / name).read_bytes()
    arguments = (run.folder, "cow pig", texts, "--weighting", "mean")
    code, found, errors = kerasuite("embed", "search", *arguments)
    assert code == 0, errors
    assert found.splitlines()[0].endswith("2.txt")
    for arguments in (("predict", run.folder, texts), ("search", run.folder, "cow", texts)):
        code, _, errors = kerasuite("embed", *arguments, "--weighting", "tfidf")
        assert code == 2 and "'tfidf' is not one of" in errors


def test_document_vectors_are_the_papers(corpus, run, saved_model, kerasuite, tmp_path):
    """SIF of the training documents, from the command line and by hand."""
    lines = corpus.read_text().splitlines()
    texts = tmp_path / "texts"
    texts.mkdir()
    for index, line in enumerate(lines[:3]):
        (texts / f"{index}.txt").write_text(line)
    output = tmp_path / "out"
    arguments = (saved_model, texts, "--weighting", "sif", "--output", output)
    code, _, errors = kerasuite("embed", "predict", *arguments)
    assert code == 0, errors
    vectors = tools.load_vectors(run.folder)
    counts = Vocabulary.load(run.folder / VOCABULARY).counts
    documents = [[vectors.index(word) for word in line.split() if word in vectors.words]
                 for line in lines]  # fmt: skip
    rows, common = sif_by_hand([words for words in documents if words], vectors.vectors, counts)
    expected = rows - np.outer(rows @ common, common)
    np.testing.assert_allclose(np.load(output / "vectors.npy"), expected[:3], atol=1e-5)
    rows = [row["vector"] for row in read_lines(output / "predictions.jsonl")]
    np.testing.assert_allclose(rows, expected[:3], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("torn.gz", gzip.compress(b"cat dog", mtime=0)[:-12]),
        ("false.gz", b"cat dog"),
        ("binary.txt", b"cat\0dog"),
        ("utf16.txt", "cat dog".encode("utf-16-le")),
        ("huge.gz", gzip.compress(b"cat " * 1000, mtime=0)),
    ],
)
def test_damaged_texts_are_rejected_and_stop_nothing(name, content, run, tmp_path, monkeypatch):
    monkeypatch.setattr("apps.embeddings.data.MAX_DOCUMENT", 3999)
    (tmp_path / "good.txt").write_text("cat dog")
    (tmp_path / name).write_bytes(content)
    app = EmbedApp()
    words = text_words(open_run(app, run.folder).config, tmp_path)
    assert words("good.txt.gz", gzip.compress(b"cat dog")) == ["cat", "dog"]
    with pytest.raises(KerasuiteError, match=name):
        words(name, content)


def test_phrases_are_joined_in_training_and_prediction(tmp_path):
    path = tmp_path / "corpus.txt"
    filler = "\n".join(f"word{index}" for index in range(3000))
    path.write_text(
        "i live in new york now\nnew york was big\nhe was big\nshe was old\nwe saw him\n" * 40
        + filler
    )
    options = config(path, **{"corpus.phrases": True})
    prepare_corpus(options, tmp_path)
    assert "new_york" in Vocabulary.load(tmp_path / VOCABULARY).words
    words = text_words(options, tmp_path / PHRASES)
    assert words("note.txt", b"New York IS big") == ["new_york", "is", "big"]


def test_chinese_words(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("我们喜欢自然语言处理。\n自然语言很有趣。\n" * 10, encoding="utf-8")
    prepare_corpus(config(path, **{"corpus.language": "zh"}), tmp_path)
    words = Vocabulary.load(tmp_path / VOCABULARY).words
    assert "喜欢" in words
    assert "。" not in words


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "no words in it"),
        ("word " * 9, {}, "only one word"),
        ("a b c d", {"corpus.min_count": 5}, "--min-count"),
    ],
)
def test_bad_corpora(text, options, message, tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(text)
    with pytest.raises(KerasuiteError, match=message):
        train(EmbedApp(), config(path, **options), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_check_counts(corpus):
    contents, problems = EmbedApp().check(config(corpus))
    assert contents[0] == "300 documents, 6,000 words, 15 different ones"
    assert problems == []


def test_a_malformed_row_is_named(kerasuite, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("3 2\na 1 2\nb 1\nc 1 2\n")
    code, _, errors = kerasuite("embed", "neighbors", path, "a")
    assert code == 1
    assert "row 3" in errors
    assert "Traceback" not in errors
