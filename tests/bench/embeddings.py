"""word2vec against gensim, speed and quality on one corpus; memory for ten times its text."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.english_corpus import write_english_corpus
from tests.bench.measure import ROOT, Result, data_folder

# Options of both programs; our others are the defaults of `embed train`.
DIM, WINDOW, NEGATIVES, SUBSAMPLE, MIN_COUNT, EPOCHS = 100, 5, 5, 1e-3, 5, 3
RATE, LAST_RATE = 0.025, 0.0001
FIRST_STEPS = 30


def skip_gram() -> Result:
    """Skip-gram with negative sampling."""
    return _compare("skipgram", floor=1.6)


def cbow() -> Result:
    """CBOW with negative sampling."""
    return _compare("cbow", floor=0.6)


def memory() -> Result:
    """Peak memory of counting, encoding and the first steps, for a corpus and ten copies of it.

    `min_count` grows with the copies, so that both have the same vocabulary.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_corpus(folder / "1.txt")
        text = (folder / "1.txt").read_bytes()
        with open(folder / "10.txt", "wb") as out:
            for _ in range(10):
                out.write(text)
        del text
        peaks = {
            copies: _peak_of_start(folder / f"{copies}.txt", MIN_COUNT * copies)
            for copies in (1, 10)
        }
    return Result(
        "embed train: peak memory, ten corpora / one",
        peaks[10] / peaks[1],
        ceiling=1.1,
        details=", ".join(f"{copies}: {peak / 1024:.0f} MiB" for copies, peak in peaks.items()),
    )


def _compare(algorithm: str, floor: float) -> Result:
    """Our rate against that of gensim's faster way to read; the details name all scores."""
    with tempfile.TemporaryDirectory() as name:
        corpus = Path(name) / "corpus.txt"
        num_words = _write_corpus(corpus)
        trained = {
            "kerasuite": train_blocks(corpus, algorithm),
            "gensim, lists": train_gensim(corpus, algorithm, reads_file=False),
            "gensim, file": train_gensim(corpus, algorithm, reads_file=True),
        }
    seconds = {name: value for name, (value, _) in trained.items()}
    ours = seconds.pop("kerasuite")
    figures = "; ".join(
        f"{name} {num_words * EPOCHS / value / 1e6:.2f}, {_shown(scores)}"
        for name, (value, scores) in trained.items()
    )
    return Result(
        f"{algorithm}: raw words per second / gensim's",
        min(seconds.values()) / ours,
        floor=floor,
        details=f"million words/s, WordSim-353 / SimLex-999 / analogies: {figures}",
    )


def _write_corpus(path: Path) -> int:
    """The English corpus of the data folder; returns its words."""
    return write_english_corpus(data_folder(), path)


def train_gensim(corpus: Path, algorithm: str, reads_file: bool) -> tuple[float, list[float]]:
    """Seconds and scores of gensim with two workers.

    Args:
        corpus: text file of 1,000 words a line.
        algorithm: "skipgram" or "cbow".
        reads_file: whether its workers read the file, each its half. Else they are given lists
            of words in the order of the text, which is slower for CBOW but learns more here,
            because the workers do not train on two parts of the text at a time.

    Returns:
        (seconds without counting the vocabulary, scores).
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=DIM, window=WINDOW, negative=NEGATIVES, sample=SUBSAMPLE, min_count=MIN_COUNT,
        sg=int(algorithm == "skipgram"), workers=2, seed=1, alpha=RATE, min_alpha=LAST_RATE,
    )  # fmt: skip
    if reads_file:
        source = {"corpus_file": str(corpus)}
    else:
        # One string for every word, however often it occurs.
        lines = corpus.read_text(encoding="utf-8").splitlines()
        source = {"corpus_iterable": [list(map(sys.intern, line.split())) for line in lines]}
    model.build_vocab(**source)
    started = time.perf_counter()
    model.train(
        **source, epochs=EPOCHS,
        total_examples=model.corpus_count, total_words=model.corpus_total_words,
    )  # fmt: skip
    return time.perf_counter() - started, scores_of(model.wv)


def train_blocks(corpus: Path, algorithm: str) -> tuple[float, list[float]]:
    """Seconds and scores of our training; counting words and compilation are left out."""
    from gensim.models import KeyedVectors

    training = Training(corpus, algorithm, corpus.parent / "run")
    initial = [weight.numpy() for weight in training.model.weights]
    training.run(1)
    for weight, value in zip(training.model.weights, initial, strict=True):
        weight.assign(value)
    training.model.optimizer.iterations.assign(0)
    started = time.perf_counter()
    training.run(training.num_steps)
    seconds = time.perf_counter() - started
    vectors = KeyedVectors(DIM)
    vectors.add_vectors(training.vocabulary.words, training.model.input_table.numpy())
    return seconds, scores_of(vectors)


class Training:
    """A training of `embed train`, up to its first step.

    Args:
        corpus: text file.
        algorithm: "skipgram" or "cbow".
        folder: folder to make, for the encoded corpus.
        min_count: int. Smallest number of occurrences of a word.
    """

    def __init__(self, corpus: Path, algorithm: str, folder: Path, min_count: int = MIN_COUNT):
        import keras
        import tensorflow as tf

        from apps.embeddings import data
        from apps.embeddings.algorithm import build_model
        from apps.embeddings.config import CorpusConfig, EmbedConfig, ModelConfig
        from apps.embeddings.corpus.vocabulary import Vocabulary
        from shared.engine.training.optimizer import build_optimizer
        from shared.engine.training.train_step import build_train_step, prepare_optimizer

        config = EmbedConfig(
            data=[str(corpus)],
            epochs=EPOCHS,
            seed=1,
            corpus=CorpusConfig(min_count=min_count),
            model=ModelConfig(algorithm=algorithm),
        )
        folder.mkdir()
        data.prepare_corpus(config, folder)
        self.vocabulary = Vocabulary.load(folder / data.VOCABULARY)
        self.num_steps = EPOCHS * data.steps_per_epoch(config, folder)
        keras.utils.set_random_seed(config.seed)
        self.model = build_model(config, self.vocabulary)
        self.model.compile(
            build_optimizer(config.optimization, config.initial_learning_rate, self.num_steps)
        )
        prepare_optimizer(self.model)
        self._step = build_train_step(self.model, tf.distribute.get_strategy(), None)
        self._batches = iter(data.training_dataset(config, folder, self.vocabulary, 0, (0, 1)))

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self._step(next(self._batches))
        self.model.input_table.numpy()


def _peak_of_start(corpus: Path, min_count: int) -> int:
    """Peak resident memory in KiB of the first steps and all before, in a process of its own."""
    code = (
        "import resource, sys; from pathlib import Path; from tests.bench import embeddings\n"
        "corpus = Path(sys.argv[1])\n"
        "folder, min_count = corpus.with_suffix('.run'), int(sys.argv[2])\n"
        "training = embeddings.Training(corpus, 'skipgram', folder, min_count)\n"
        "training.run(embeddings.FIRST_STEPS)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(corpus), str(min_count)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.split()[-1])


def scores_of(vectors) -> list[float]:
    """Spearman correlations on WordSim-353 and SimLex-999, share of analogies solved."""
    from gensim.test.utils import datapath

    pairs = [
        vectors.evaluate_word_pairs(datapath(name))[1][0]
        for name in ("wordsim353.tsv", "simlex999.txt")
    ]
    return [*map(float, pairs), vectors.evaluate_word_analogies(datapath("questions-words.txt"))[0]]


def _shown(scores: list[float]) -> str:
    return " / ".join(f"{score:.3f}" for score in scores)
