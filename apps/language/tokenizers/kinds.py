"""Tokenizers by the kind of their tokens."""

from collections.abc import Iterable
from pathlib import Path

from apps.language.tokenizers.tokenizer import Tokenizer

# Name of the vocabulary's file in a run folder.
VOCABULARY = {
    "char": "characters.json",
    "word": "words.txt",
    "unigram": "subwords.model",
    "bpe": "subwords.model",
    "byte-bpe": "byte_subwords.json",
}


def load_tokenizer(kind: str, folder: Path) -> Tokenizer:
    """The tokenizer whose vocabulary stands in a folder."""
    return _class(kind)(folder / VOCABULARY[kind])


def learn_tokenizer(kind: str, texts: Iterable[str], size: int, folder: Path) -> Tokenizer:
    """Learns a vocabulary, which is written into a folder.

    Args:
        kind: "char", "word", "unigram" or "bpe"; "byte-bpe" is not learnt here.
        texts: pieces of the training text.
        size: int. Largest number of tokens.
        folder: where the vocabulary is written.

    Raises:
        KerasuiteError: if it cannot be learnt.
    """
    _class(kind).learn(texts, size, folder / VOCABULARY[kind])
    return load_tokenizer(kind, folder)


def _class(kind: str) -> type[Tokenizer]:
    if kind == "char":
        from apps.language.tokenizers.character_tokenizer import CharacterTokenizer

        return CharacterTokenizer
    if kind == "word":
        from apps.language.tokenizers.word_tokenizer import WordTokenizer

        return WordTokenizer
    if kind == "byte-bpe":
        from apps.language.tokenizers.byte_level_tokenizer import ByteLevelTokenizer

        return ByteLevelTokenizer
    # Only these need tensorflow-text, of which there is no wheel for Windows.
    from apps.language.tokenizers import line_subword_tokenizer as subwords

    return {"unigram": subwords.UnigramTokenizer, "bpe": subwords.BpeTokenizer}[kind]
