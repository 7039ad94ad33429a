"""Report on plain text for pretraining: contents and problems."""

from collections import Counter

from apps.bert.pretraining.config import CorpusConfig
from shared.text.text_files import lines_of

# Longer lines hold several sentences and are cut anywhere.
LONG_LINE = 4000


def describe(config: CorpusConfig) -> tuple[list[str], list[str]]:
    """Contents and problems of the text of a configuration, a line each."""
    lines = words = characters = documents = long = damaged = 0
    empty, seen, repeated = True, Counter(), 0
    for line in lines_of(config.data):
        text = line.strip()
        if not text:
            empty = True
            continue
        documents += empty
        empty = False
        lines += 1
        words += len(text.split())
        characters += len(text)
        long += len(text) > LONG_LINE
        damaged += "\ufffd" in text
        seen[hash(text)] += 1
        repeated += seen[hash(text)] > 1
    contents = [
        f"{lines:,} lines in {documents:,} documents (empty lines end a document)",
        f"{words:,} words, {characters:,} characters",
    ]
    paired = config.sequences.pairs != "none"
    if documents == 1 and not paired:
        contents.append("one document only; --pairs next or order would need several")
    problems = []
    if not lines:
        problems.append(f"{' '.join(config.data)}: no text in it")
    if damaged:
        problems.append(
            f"{damaged:,} lines hold bytes that are not UTF-8 or zero; each became U+FFFD"
        )
    if repeated > lines / 10:
        problems.append(f"{repeated:,} of {lines:,} lines are duplicates; remove them")
    if paired and documents == 1:
        problems.append("one document only; --pairs needs several, with empty lines between them")
    if long:
        problems.append(
            f"{long:,} lines are longer than {LONG_LINE:,} characters; put one sentence on a line"
        )
    return contents, problems
