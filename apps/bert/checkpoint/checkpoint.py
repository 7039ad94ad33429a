"""What a BERT checkpoint is, whoever wrote it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from apps.bert.encoder_config import EncoderConfig


@dataclass(frozen=True)
class TokenizerSettings:
    """How text is cut into words, before these are cut into pieces.

    Attributes:
        lowercase: whether words are lower-cased.
        strip_accents: whether accents are removed; None does what `lowercase` says.
        chinese: whether every Chinese character is a word.
    """

    lowercase: bool = True
    strip_accents: bool | None = None
    chinese: bool = True


class LazyTensors(Mapping[str, np.ndarray]):
    """Tensors by name, each read from disk when it is asked for.

    Args:
        readers: tensor name to a function that reads it.
    """

    def __init__(self, readers: Mapping[str, Callable[[], np.ndarray]]):
        self._readers = dict(readers)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._readers[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._readers

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


@dataclass(frozen=True)
class Checkpoint:
    """An encoder's shape, vocabulary and weights.

    Attributes:
        config: the encoder's shape.
        vocabulary: word pieces by number; as many as the token embedding has rows.
        settings: how text is cut into words.
        tensors: float32 arrays by the names of Hugging Face's `BertForPreTraining`, without
            "bert."; see `names.py`. Besides the encoder's there may be those of heads.
        source: what the user called it.
    """

    config: EncoderConfig
    vocabulary: list[str]
    settings: TokenizerSettings
    tensors: Mapping[str, np.ndarray]
    source: str
