"""Speed and quality of GloVe on the English corpus: counting, one iteration, scores.

The C program is not in this environment. The ceilings are therefore absolute: 1.5 times what it
took on two cores of the kind that this project is measured on, with its figures in the details.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Result, data_folder

DIM, WINDOW, MIN_COUNT, X_MAX = 100, 10, 5, 10.0
ITERATIONS, BATCH, RATE = 15, 65536, 0.05
C_COUNTING, C_ITERATION = 11.0, 18.1
C_FIGURES = "C program, 2 threads, on such cores: counting 9 to 11 s, 18.1 s an iteration"
C_SCORES = (0.373, 0.171, 0.133)


@contextlib.contextmanager
def counted_corpus() -> Iterator[tuple]:
    """Vocabulary, counts of the English corpus, and the seconds that counting took."""
    from apps.embeddings.corpus.encoded_corpus import encode
    from apps.embeddings.corpus.vocabulary import build_vocabulary
    from apps.embeddings.glove.cooccurrence import count_cooccurrences
    from tests.bench.english_corpus import write_english_corpus

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_english_corpus(data_folder(), folder / "corpus.txt")
        lines = (folder / "corpus.txt").read_text(encoding="utf-8").splitlines()
        vocabulary = build_vocabulary((line.split() for line in lines), min_count=MIN_COUNT)
        encoded = encode((line.split() for line in lines), vocabulary, folder / "tokens.bin")
        del lines
        started = time.perf_counter()
        counts = count_cooccurrences(
            encoded.tokens, len(vocabulary), folder / "cooccurrences", window=WINDOW
        )
        yield vocabulary, counts, time.perf_counter() - started


def train(vocabulary, counts, iterations: int) -> tuple[float, list[float]]:
    """Seconds per iteration, without compilation, and the scores of the vectors."""
    import keras
    import numpy as np
    import tensorflow as tf
    from gensim.models import KeyedVectors

    from apps.embeddings.glove import cooccurrence_stream
    from apps.embeddings.glove.glove import GloVe
    from shared.common.config import OptimizationConfig
    from shared.engine.training.train_step import build_train_step, prepare_optimizer
    from tests.bench.embeddings import scores_of

    keras.utils.set_random_seed(1)
    model = GloVe(len(vocabulary), DIM, X_MAX)
    model.compile(keras.optimizers.SGD(RATE))
    prepare_optimizer(model)
    step = build_train_step(model, tf.distribute.get_strategy(), OptimizationConfig())
    shape = cooccurrence_stream.stream_shape(counts, BATCH)
    batches = iter(cooccurrence_stream.cooccurrence_stream(counts, shape, seed=1))
    step(next(batches))
    steps = iterations * cooccurrence_stream.steps_per_epoch(counts, shape) - 1
    started = time.perf_counter()
    for _ in range(steps):
        loss, _ = step(next(batches))["loss"]
    float(loss)
    seconds = (time.perf_counter() - started) / iterations
    vectors = KeyedVectors(DIM)
    vectors.add_vectors(vocabulary.words, np.asarray(model(np.arange(len(vocabulary)))))
    return seconds, scores_of(vectors)


def counting() -> Result:
    """Seconds to count the pairs of words of the encoded corpus."""
    with counted_corpus() as (_, counts, seconds):
        details = f"{len(counts)} co-occurrences, window {WINDOW}. {C_FIGURES}"
    ceiling = 1.5 * C_COUNTING
    return Result("GloVe counting", seconds, " s", ceiling=ceiling, details=details)


def iteration() -> Result:
    """Seconds of one iteration over all co-occurrences, and the scores after the last."""
    with counted_corpus() as (vocabulary, counts, _):
        seconds, scores = train(vocabulary, counts, ITERATIONS)
        rate = len(counts) / seconds / 1e6
    shown, reference = (" / ".join(f"{s:.3f}" for s in values) for values in (scores, C_SCORES))
    return Result(
        "GloVe, one iteration",
        seconds,
        " s",
        ceiling=1.5 * C_ITERATION,
        details=(
            f"{rate:.2f} million co-occurrences/s; WordSim-353 / SimLex-999 / analogies {shown} "
            f"after {ITERATIONS} iterations. {C_FIGURES}, {reference}"
        ),
    )
