"""Text files to the training stream: vocabulary, encoded corpus, GloVe's counts."""

import gzip
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from apps.embeddings.config import EmbedConfig
from apps.embeddings.corpus.corpus import Corpus
from apps.embeddings.corpus.encoded_corpus import EncodedCorpus, encode
from apps.embeddings.corpus.phrases import PhraseModel
from apps.embeddings.corpus.vocabulary import Vocabulary, build_vocabulary
from apps.embeddings.corpus.words import word_splitter
from apps.embeddings.glove import cooccurrence_stream
from apps.embeddings.glove.cooccurrence import count_cooccurrences
from apps.embeddings.glove.cooccurrence_file import COUNTS, CooccurrenceFile
from apps.embeddings.word2vec import window_blocks
from shared.common.checksums import write_checksum
from shared.common.errors import KerasuiteError
from shared.common.files import write_text
from shared.text.text_files import decoded, report_damaged

# Names that `prepare_corpus` writes in the run folder.
VOCABULARY, WORDS, PHRASES = "vocabulary.txt", "words.txt", "phrases.json"
TOKENS, COOCCURRENCES = "tokens.bin", "cooccurrences"
MAX_DOCUMENT = 1 << 28  # characters of a file that is to have one vector


def read_corpus(config: EmbedConfig) -> Corpus:
    """Opens the corpus of a configuration."""
    options = config.corpus
    return Corpus(config.data, options.language, options.document, options.pattern)


def prepare_corpus(config: EmbedConfig, folder: Path) -> dict[str, Any]:
    """Counts the words, encodes the corpus and, for GloVe, counts its pairs.

    Every file is written atomically; a preparation that was killed starts again.

    Returns:
        Numbers that describe the corpus, for the artifacts of the run.
    """
    corpus = read_corpus(config)
    documents: Iterable[list[str]] = corpus
    if config.corpus.phrases:
        phrases = PhraseModel.train(corpus, config.corpus.language)
        phrases.save(folder / PHRASES)
        documents = _Joined(corpus, phrases)
    vocabulary = build_vocabulary(documents, config.corpus.min_count, config.corpus.max_vocab)
    report_damaged(corpus.invalid_bytes)
    vocabulary.save(folder / VOCABULARY)
    encoded = encode(documents, vocabulary, folder / TOKENS)
    found = {
        "words": len(vocabulary),
        "corpus_words": int(vocabulary.counts.sum()) + vocabulary.dropped_words,
        "dropped_words": vocabulary.dropped_words,
        "invalid_bytes": sum(corpus.invalid_bytes.values()),
    }
    if config.model.algorithm == "glove":
        counts = count_cooccurrences(
            encoded.tokens,
            len(vocabulary),
            folder / COOCCURRENCES,
            window=config.model.window,
            symmetric=config.glove.symmetric,
            memory=config.glove.memory,
        )
        found["cooccurrences"] = len(counts)
    for path in prepared_files(folder):
        write_checksum(path)
    return found


class _Joined(Iterable[list[str]]):
    """A corpus with its phrases joined, which can be read repeatedly."""

    def __init__(self, corpus: Corpus, phrases: PhraseModel):
        self._corpus, self._phrases = corpus, phrases

    def __iter__(self):
        return iter(self._phrases.apply(self._corpus))


def prepared_files(folder: Path) -> list[Path]:
    """The files that training reads, as far as they are there."""
    names = (VOCABULARY, PHRASES, TOKENS, f"{COOCCURRENCES}/{COUNTS}")
    return [folder / name for name in names if (folder / name).is_file()]


def write_words(vocabulary: Vocabulary, folder: Path) -> Path:
    """Writes the words, one per line, for the tables of the SavedModel."""
    write_text(folder / WORDS, "\n".join(vocabulary.words) + "\n")
    return folder / WORDS


def text_words(config: EmbedConfig, phrases_file: Path) -> Callable[[str, bytes], list[str]]:
    """Makes the function that splits a text file into words, as in training.

    Args:
        config: configuration of the run.
        phrases_file: model of the phrases, read where `config` joins them.

    Returns:
        Function of the name and the content of a file, also gzipped, to its words. It raises a
        KerasuiteError for a file that is damaged, no text or huge.
    """
    split = word_splitter(config.corpus.language, config.corpus.pattern)
    join = PhraseModel.load(phrases_file) if config.corpus.phrases else list

    def words(name: str, content: bytes) -> list[str]:
        packed = name.lower().endswith(".gz")
        with gzip.open(io.BytesIO(content)) if packed else io.BytesIO(content) as stream:
            return join(split("".join(_limited(name, decoded(name, stream)))))

    return words


def _limited(name: str, pieces: Iterable[tuple[str, int]]) -> Iterator[str]:
    """The text of a document, which has to fit into memory with all its words."""
    length = 0
    for text, _ in pieces:
        length += len(text)
        if length > MAX_DOCUMENT:
            raise KerasuiteError(
                f"{name}: has more than {MAX_DOCUMENT:,} characters; cut it into several"
            )
        yield text


# === The training stream ===


def steps_per_epoch(config: EmbedConfig, folder: Path) -> int:
    """Steps in one pass over the corpus, or over GloVe's co-occurrences."""
    if config.model.algorithm == "glove":
        counts = CooccurrenceFile.open(folder / COOCCURRENCES)
        shape = cooccurrence_stream.stream_shape(counts, config.batch_size)
        return cooccurrence_stream.steps_per_epoch(counts, shape)
    tokens = EncodedCorpus.open(folder / TOKENS).tokens
    return window_blocks.steps_per_epoch(len(tokens), config.batch_size)


def training_dataset(
    config: EmbedConfig,
    folder: Path,
    vocabulary: Vocabulary,
    start_step: int,
    worker: tuple[int, int],
) -> tf.data.Dataset:
    """Makes the endless stream of steps, see `window_blocks` and `cooccurrence_stream`.

    Args:
        config: configuration of the run.
        folder: run folder, see `prepare_corpus`.
        vocabulary: words and counts.
        start_step: int. Global step of the first batch.
        worker: (index, count). Share of this worker.
    """
    options = {"seed": config.seed, "start_step": start_step, "worker": worker}
    if config.model.algorithm == "glove":
        counts = CooccurrenceFile.open(folder / COOCCURRENCES)
        shape = cooccurrence_stream.stream_shape(counts, config.batch_size)
        return cooccurrence_stream.cooccurrence_stream(counts, shape, **options)
    return window_blocks.window_blocks(
        EncodedCorpus.open(folder / TOKENS).tokens,
        vocabulary.keep_probabilities(config.model.subsample),
        vocabulary.noise_distribution(),
        block_shape(config),
        config.batch_size,
        **options,
    )


def block_shape(config: EmbedConfig) -> window_blocks.BlockShape:
    """Sizes of the blocks of a word2vec training.

    With hierarchical softmax they are short: every position of a block is multiplied with the
    paths of all its words, of which only those in its window count.
    """
    sizes = {}
    if config.model.loss == "hierarchical-softmax":
        sizes = {"positions": 8, "lanes": 64}
    return window_blocks.BlockShape.for_batch(config.batch_size, config.model.window, **sizes)
