"""`kerasuite embed check`: what is in a corpus and what is wrong with it."""

from collections import Counter

from apps.embeddings.config import EmbedConfig
from apps.embeddings.data import read_corpus

FREQUENT_SHOWN = 10


def describe(config: EmbedConfig) -> tuple[list[str], list[str]]:
    """(contents, problems) of the corpus of a configuration, a line each."""
    corpus = read_corpus(config)
    counts: Counter[str] = Counter()
    documents = 0
    for words in corpus:
        documents += 1
        counts.update(words)
    total, least = counts.total(), config.corpus.min_count
    kept = {word: count for word, count in counts.items() if count >= least}
    covered = sum(kept.values()) / total
    contents = [
        f"{documents:,} documents, {total:,} words, {len(counts):,} different ones",
        f"{len(kept):,} words occur at least {least} times (--min-count); they are {covered:.1%} "
        f"of the text",
        "most frequent: "
        + ", ".join(f"{word} {count:,}" for word, count in counts.most_common(FREQUENT_SHOWN)),
    ]
    problems = [
        f"{name}: {count:,} byte(s) are not UTF-8 and will be replaced; convert the file"
        for name, count in sorted(corpus.invalid_bytes.items())
    ]
    if len(kept) < 2:
        most = max(counts.values())
        problems.append(
            f"{len(kept)} word(s) occur {least} times or more, at least 2 are needed; the most "
            f"frequent occurs {most} times: lower --min-count or give more text"
        )
    return contents, problems
