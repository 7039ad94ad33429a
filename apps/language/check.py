"""`kerasuite lm check`: contents and problems of a text."""

import tempfile
from collections import Counter
from pathlib import Path

from apps.language.config import LanguageConfig
from apps.language.data import (
    Texts,
    make_tokenizer,
    resolved_with_init,
    too_short,
    unknown_tokens,
)
from apps.language.token_stream import TextSize, encode
from shared.common.splits import TRAIN, VALIDATION


def describe(config: LanguageConfig) -> tuple[list[str], list[str]]:
    """Contents and problems of the text of a configuration, a line each.

    The vocabulary is learnt as training learns it, so that tokens are those that it sees.
    """
    config = resolved_with_init(config)
    texts = Texts.find(config)
    contents: list[str] = []
    sizes: dict[str, TextSize] = {}
    damaged: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(config, texts, Path(folder))
        for split in (TRAIN, VALIDATION):
            corpus, pieces = texts.of(split)
            size = TextSize()
            for _ in encode(pieces, tokenizer, size):
                pass
            contents.append(_contents(split, size))
            damaged |= corpus.invalid_bytes
            sizes[split] = size
    kind = config.tokens.vocabulary
    contents.append(f"vocabulary: {kind}, {tokenizer.vocabulary_size:,} tokens")
    problems = [
        f"{name}: {count:,} byte(s) are not UTF-8 or zero and will be replaced; convert the file"
        for name, count in sorted(damaged.items())
    ]
    return contents, problems + _problems(config, sizes)


def _contents(split: str, size: TextSize) -> str:
    return (
        f"{split}: {size.characters:,} characters, {size.words:,} words, {size.tokens:,} tokens, "
        f"{size.documents:,} ends of documents"
    )


def _problems(config: LanguageConfig, sizes: dict[str, TextSize]) -> list[str]:
    problems = [too_short(size, split, config) for split, size in sizes.items()]
    if unknown := sizes[VALIDATION].unknown:
        problems.append(unknown_tokens(unknown, sizes[VALIDATION].tokens))
    return [problem for problem in problems if problem]
