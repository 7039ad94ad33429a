"""`kerasuite translate check`: contents and problems of sentence pairs."""

import tempfile
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from apps.translation.config import TranslateConfig
from apps.translation.data import Tokenizers, encode_pairs, learn_vocabularies, resolved_with_init
from apps.translation.pairs.cleaning import EMPTY, find_reasons, report_of, summary
from apps.translation.pairs.pair_files import FoundPairs, find_pairs, same_form
from apps.translation.pairs.scripts import (
    FOREIGN_LETTERS,
    allowed_scripts,
    main_script,
    scripts,
)
from apps.translation.pairs.sentence_pairs import SentencePairs


def describe(config: TranslateConfig) -> tuple[list[str], list[str]]:
    """Contents and problems of the sentence pairs of a configuration, a line each.

    The vocabularies are learnt as training learns them, so that lengths are those that it sees.
    """
    config = resolved_with_init(config)
    found = find_pairs(config)
    with tempfile.TemporaryDirectory() as folder:
        learn_vocabularies(config, found.train, Path(folder))
        tokenizers = Tokenizers.load(Path(folder))
    encoded = encode_pairs(found.train, tokenizers)
    source, target = encoded.source.lengths, encoded.target.lengths
    reasons = find_reasons(found.train, source, target, config.pairs)
    report = report_of(found.train, reasons, config.pairs)
    contents = [
        f"{len(found.train):,} training pairs, {len(found.validation):,} validation pairs"
        + (" (split off)" if found.from_split else ""),
        _side("source", found.source_language, found.train.source, source),
        _side("target", found.target_language, found.train.target, target),
        _vocabulary(config, tokenizers),
        summary(report) or "no training pair would be left out",
    ]
    return contents, [*found.notes, *_problems(found, reasons)]


def _vocabulary(config: TranslateConfig, tokenizers: Tokenizers) -> str:
    sizes = f"{tokenizers.source.vocabulary_size:,} tokens for both sides"
    if not config.tokens.shared_vocabulary:
        sizes = (
            f"{tokenizers.source.vocabulary_size:,} source and "
            f"{tokenizers.target.vocabulary_size:,} target tokens"
        )
    return f"vocabulary: {config.tokens.vocabulary}, {sizes}"


def _side(side: str, name: str, texts: list[str], tokens: np.ndarray) -> str:
    characters = [len(text) for text in texts]
    return (
        f"{side} ({name or 'language not known'}, {main_script(texts) or 'no'} script): "
        f"{np.mean(characters):.0f} characters and {np.mean(tokens):.1f} tokens a sentence, "
        f"at most {max(characters):,} and {max(tokens):,}"
    )


# === Problems ===


def _problems(found: FoundPairs, reasons: np.ndarray) -> list[str]:
    train, validation = found.train, found.validation
    problems = _problem(
        (where for where, reason in zip(train.where, reasons, strict=True) if reason == EMPTY),
        "pair(s) with an empty side",
        "are the files aligned?",
    )
    for side in ("source", "target"):
        expected = main_script(getattr(train, side))
        for part in (train, validation):
            problems += _line_problems(part.where, getattr(part, side), side, expected)
    problems += _problem(
        _equal_sides(train), "pair(s) with equal sides", "these are not translated"
    )
    known = set(map(same_form, train.source))
    seen = (
        where
        for text, where in zip(validation.source, validation.where, strict=True)
        if same_form(text) in known
    )
    return problems + _problem(
        seen, "validation sentence(s) that are trained on too", "figures will flatter"
    )


def _line_problems(where: list[str], texts: list[str], side: str, expected: str) -> list[str]:
    control = (line for line, text in zip(where, texts, strict=True) if _has_control(text))
    return _problem(
        control, f"{side} line(s) with control characters", "each is read as a space"
    ) + _problem(
        _foreign(where, texts, expected),
        f"{side} line(s) in another script than {expected}",
        "are they the right language?",
    )


def _equal_sides(pairs: SentencePairs) -> Iterable[str]:
    for source, target, where in zip(pairs.source, pairs.target, pairs.where, strict=True):
        # A name or a number may well be the same in both.
        if len(source.split()) > 2 and same_form(source) == same_form(target):
            yield where


def _problem(lines: Iterable[str], problem: str, remark: str) -> list[str]:
    """One message about all lines ("FILE:LINE") with a problem, or none."""
    lines = list(lines)
    return [f"{lines[0]}: {len(lines):,} {problem}, this is the first; {remark}"] if lines else []


def _has_control(text: str) -> bool:
    if text.isprintable():
        return False
    return any(unicodedata.category(c) == "Cc" and c != "\t" for c in text)


def _foreign(where: list[str], texts: list[str], expected: str) -> Iterable[str]:
    """Lines that have letters, but none of the script of their side."""
    allowed = allowed_scripts(expected)
    for line, text in zip(where, texts, strict=True):
        letters = scripts(text)
        if letters.total() >= FOREIGN_LETTERS and not allowed & letters.keys():
            yield line
