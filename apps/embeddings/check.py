"""`kerasuite embed check`: contents and problems of a corpus."""

from collections import Counter

from apps.embeddings.config import EmbedConfig
from apps.embeddings.data import read_corpus

FREQUENT_SHOWN = 10


def describe(config: EmbedConfig) -> tuple[list[str], list[str]]:
    """Describes a corpus; returns lines of contents and lines of problems."""
    corpus = read_corpus(config)
    counts: Counter[str] = Counter()
    documents = 0
    for words in corpus:
        documents += 1
        counts.update(words)
    total, min_count = counts.total(), config.corpus.min_count
    kept = {word: count for word, count in counts.items() if count >= min_count}
    covered = sum(kept.values()) / total
    contents = [
        f"{documents:,} documents, {total:,} words, {len(counts):,} different ones",
        f"{len(kept):,} words occur at least {min_count} times (--min-count); they are "
        f"{covered:.1%} of the text",
        "most frequent: "
        + ", ".join(f"{word} {count:,}" for word, count in counts.most_common(FREQUENT_SHOWN)),
    ]
    problems = [
        f"{name}: {count:,} byte(s) are not UTF-8 or zero and will be replaced; convert the file"
        for name, count in sorted(corpus.invalid_bytes.items())
    ]
    if len(kept) < 2:
        highest = max(counts.values())
        problems.append(
            f"{len(kept)} word(s) occur {min_count} times or more, at least 2 are needed; the most "
            f"frequent occurs {highest} times: lower --min-count or give more text"
        )
    return contents, problems
