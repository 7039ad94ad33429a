"""A BERT checkpoint, independent of its format."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.bert.checkpoint.sentence_transformers import SentenceVectors
from apps.bert.encoder_config import EncoderConfig


@dataclass(frozen=True)
class TokenizerSettings:
    """How text is split into words before word pieces.

    Attributes:
        lowercase: whether words are lower-cased.
        strip_accents: whether accents are removed; None: like `lowercase`.
        chinese: whether every Chinese character is a word.
    """

    lowercase: bool = True
    strip_accents: bool | None = None
    chinese: bool = True


@dataclass(frozen=True)
class Checkpoint:
    """Configuration, vocabulary and weights of an encoder.

    Attributes:
        config: configuration of the encoder.
        vocabulary: tokens by id, one for each row of the token embedding.
        settings: settings of the tokenizer.
        tensors: float32 arrays by the names of Hugging Face's `BertForPreTraining`, without
            "bert."; see `names.py`. There may be tensors of heads too.
        source: the name that the user gave.
        sentence_vectors: how it makes vectors of texts, where it says so.
        pieces: the SentencePiece model of its tokens (ALBERT); none with word pieces.
        folder: of Hugging Face, if it is in one.
        merges: of byte-level tokens (RoBERTa), in their order; none with word pieces.
    """

    config: EncoderConfig
    vocabulary: list[str]
    settings: TokenizerSettings
    tensors: Mapping[str, np.ndarray]
    source: str
    sentence_vectors: SentenceVectors | None = None
    merges: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None
    pieces: bytes = b""
