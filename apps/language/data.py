"""Text files to a vocabulary, rows of tokens and batches of windows."""

import dataclasses
import itertools
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.language.config import LanguageConfig
from apps.language.corpus import Corpus, Piece, cut_at
from apps.language.token_stream import TextSize, encode, write_tokens
from apps.language.tokenizers.kinds import VOCABULARY, learn_tokenizer, load_tokenizer
from apps.language.tokenizers.tokenizer import Tokenizer
from apps.language.windows import EvaluationWindows, TrainingWindows
from shared.common import config as configs
from shared.common import stream
from shared.common.checksums import write_checksum
from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.common.splits import TRAIN, VALIDATION
from shared.text.text_batches import dataset_of, evaluation_batches
from shared.text.text_files import report_damaged

# Names that `prepare_text` writes in the run folder.
TOKENS = {TRAIN: "tokens.bin", VALIDATION: "validation.bin"}


@dataclasses.dataclass(frozen=True)
class Texts:
    """The text to train on and to validate on, each of which can be read repeatedly.

    Attributes:
        config: where they are, and how they are split.
        characters: int. Of the data as a whole.
    """

    config: LanguageConfig
    characters: int

    @classmethod
    def find(cls, config: LanguageConfig) -> "Texts":
        """Measures the text of a configuration.

        Raises:
            KerasuiteError: if there is none, or it cannot be read.
        """
        corpus = Corpus(config.data, config.text.separator)
        characters = sum(len(piece.text) for piece in corpus)
        if not characters:
            raise KerasuiteError(f"{corpus.data}: no text in it; give files with text")
        return cls(config, characters)

    def of(self, split: str) -> tuple[Corpus, Iterator[Piece]]:
        """A corpus, which knows of damaged bytes once it was read, and its pieces of a split."""
        options = self.config.text
        corpus = Corpus(self.config.data, options.separator)
        if options.validation:
            if split == VALIDATION:
                corpus = Corpus(options.validation, options.separator)
            return corpus, iter(corpus)
        border = int(self.characters * (1 - options.validation_tail))
        before, behind = cut_at(corpus, border)
        return corpus, before if split == TRAIN else behind


def prepare_text(config: LanguageConfig, folder: Path) -> dict[str, Any]:
    """Learns the vocabulary and writes both texts as rows of tokens.

    Every file is written atomically; a preparation that was killed starts again.

    Returns:
        Artifacts: sizes of the vocabulary and of both texts.

    Raises:
        KerasuiteError: if the texts are too short, or there is no vocabulary to learn.
    """
    texts = Texts.find(config)
    tokenizer = make_tokenizer(config, texts, folder)
    found: dict[str, Any] = {"vocabulary_size": tokenizer.vocabulary_size}
    damaged: Counter[str] = Counter()
    for split, name in TOKENS.items():
        corpus, pieces = texts.of(split)
        size = write_tokens(pieces, tokenizer, folder / name)
        if problem := too_short(size, split, config):
            raise KerasuiteError(problem)
        damaged |= corpus.invalid_bytes
        write_checksum(folder / name)
        found[split] = dataclasses.asdict(size)
    write_checksum(folder / VOCABULARY[config.tokens.vocabulary])
    report_damaged(damaged)
    if unknown := found[VALIDATION]["unknown"]:
        warn(unknown_tokens(unknown, found[VALIDATION]["tokens"]))
    return found


def unknown_tokens(unknown: int, tokens: int) -> str:
    """A line about tokens of the validation text that the vocabulary has not."""
    return (
        f"{unknown:,} of {tokens:,} tokens of the validation text are not in the vocabulary, and "
        f"count as one and the same; raise --vocabulary-size, or use --vocabulary unigram"
    )


def too_short(size: TextSize, split: str, config: LanguageConfig) -> str:
    """Why a text has too few tokens, or "" if it has enough.

    Args:
        size: of the text.
        split: "train" or "validation".
        config: of the run.
    """
    length, own = config.text.sequence_length, config.text.validation
    if split == TRAIN and size.tokens < length:
        return (
            f"{' '.join(config.data)}: {size.tokens:,} tokens to train on do not fill a window of "
            f"{length}; give more text or lower --sequence-length"
        )
    if size.tokens < 1:
        where = " ".join((split == VALIDATION and own) or config.data)
        return f"{where}: no text is left to validate on; give more text"
    return ""


def make_tokenizer(config: LanguageConfig, texts: Texts, folder: Path) -> Tokenizer:
    """The tokenizer of a run: learnt on the training text, or that of the run of --init."""
    kind = config.tokens.vocabulary
    if config.init:
        shutil.copyfile(_init_folder(config) / VOCABULARY[kind], folder / VOCABULARY[kind])
        return load_tokenizer(kind, folder)
    _, pieces = texts.of(TRAIN)
    pieces = (piece.text for piece in pieces)
    return learn_tokenizer(kind, pieces, config.tokens.vocabulary_size, folder)


def resolved_with_init(config: LanguageConfig) -> LanguageConfig:
    """The configuration of a run with --init: with the vocabulary and the network of the other run.

    Its weights mean nothing with others. Warns of options that say otherwise.

    Raises:
        KerasuiteError: if --init has no vocabulary, or less positions than windows have tokens.
    """
    if not config.init:
        return config
    file = _init_folder(config) / "config.yaml"
    if not file.is_file():
        raise KerasuiteError(
            f"--init {config.init}: no config.yaml is there, and so no vocabulary of its weights; "
            f"give the folder of a run of this task"
        )
    theirs = configs.load(LanguageConfig, file)
    config, unused = configs.inherit_group(config, "tokens", theirs.tokens)
    config, more = configs.inherit_group(config, "model", theirs.model, keep=("dropout",))
    if unused := [*unused, *more]:
        warn(
            f"--init {config.init}: brings its vocabulary and network; not used: "
            f"{', '.join(unused)}"
        )
    if config.model.architecture == "transformer" and config.model.positions == "learned":
        _check_positions(config, theirs.text.sequence_length)
    return config


def _check_positions(config: LanguageConfig, positions: int) -> None:
    length = config.text.sequence_length
    if length > positions:
        raise KerasuiteError(
            f"--sequence-length {length}: the model of --init {config.init} has learned "
            f"{positions:,} positions; lower it"
        )
    if length < positions:
        warn(
            f"--init {config.init}: of its {positions:,} positions the first {length} are used "
            f"(--sequence-length), and the model will see no further back"
        )


def _init_folder(config: LanguageConfig) -> Path:
    """The run folder of --init, which may name the weights in it."""
    path = Path(config.init)
    return path if path.is_dir() else path.parent


def read_text(
    data: list[str], config: LanguageConfig, tokenizer: Tokenizer
) -> tuple[np.ndarray, TextSize]:
    """Other text as a row of tokens int32 (N,), and its size.

    Args:
        data: files or folders.
        config: of the run.
        tokenizer: of the run.

    Raises:
        KerasuiteError: if there is no text.
    """
    corpus, size = Corpus(data, config.text.separator), TextSize()
    tokens = np.concatenate(list(encode(corpus, tokenizer, size)))
    if not size.tokens:
        raise KerasuiteError(f"{corpus.data}: no text in it; give files with text")
    report_damaged(corpus.invalid_bytes)
    if size.unknown:
        warn(unknown_tokens(size.unknown, size.tokens))
    return tokens, size


def prepared_files(config: LanguageConfig, folder: Path) -> list[Path]:
    """The files that training reads."""
    return [folder / name for name in (*TOKENS.values(), VOCABULARY[config.tokens.vocabulary])]


def text_size(values: Mapping[str, int]) -> TextSize:
    """The size of a text in the artifacts of a run."""
    return TextSize(**values)


# === Batches ===


def training_dataset(
    windows: TrainingWindows, batch_size: int, start_step: int, worker: tuple[int, int]
) -> tf.data.Dataset:
    """Endless batches of random windows: this worker's rows of each.

    Args:
        windows: of the training text.
        batch_size: int. Global batch size.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """
    begin, end = stream.worker_slice(batch_size, worker)

    def batches() -> Iterator[dict[str, np.ndarray]]:
        for step in itertools.count(start_step):
            yield windows.batch(step * batch_size + np.arange(begin, end))

    return dataset_of(windows, batches)


def evaluation_dataset(
    windows: EvaluationWindows, batch_size: int, worker: tuple[int, int]
) -> tf.data.Dataset:
    """Batches of overlapping windows in their order; this worker's share of them.

    Args:
        windows: of the text.
        batch_size: int. Windows of a batch.
        worker: (index, count).
    """
    lengths = np.full(len(windows), windows.length)
    return evaluation_batches(windows, lengths, batch_size, worker)
