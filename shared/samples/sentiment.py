"""Generated sentences about films, books and meals, liked or not.

They are made from word lists, and not by people: the sample shows how the commands go together, not
how well a model understands. Words alone do not decide: negations turn a judgement round, and of
two judgements the one of the main clause counts.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shared.common.files import write_text

TRAIN, DEV, UNLABELLED = 4000, 500, 40
THINGS = (
    "film", "book", "meal", "concert", "hotel", "play", "story", "song", "soup", "room", "trip",
    "game", "coffee", "museum", "novel", "service", "picture", "party", "lecture", "garden",
)  # fmt: skip
LIKED = (
    "wonderful", "charming", "brilliant", "delightful", "excellent", "moving", "superb", "clever",
    "lovely", "gripping", "fresh", "warm", "elegant", "funny", "splendid", "remarkable",
)  # fmt: skip
DISLIKED = (
    "dreadful", "boring", "clumsy", "awful", "tedious", "disappointing", "shallow", "dull",
    "horrible", "tasteless", "stale", "cold", "messy", "silly", "mediocre", "unbearable",
)  # fmt: skip
DEGREES = ("", "", "very ", "rather ", "truly ", "quite ", "simply ", "utterly ")
OPENINGS = ("the {0} was", "this {0} is", "i found the {0}", "what we got was a {0} that felt")
CONTRASTS = (
    "although {0} , {1}", "{1} , even if {0}", "while {0} , {1}", "{1} , though {0}",
    "despite the fact that {0} , {1}",
)  # fmt: skip


def write_sentiment(folder: Path) -> str:
    """Writes `train.tsv`, `dev.tsv` (columns sentence, label) and `unlabelled/*.txt`."""
    generator = np.random.default_rng(20)
    sentences = itertools.islice(_different(generator), TRAIN + DEV + UNLABELLED)
    made = list(sentences)
    for name, part in (("train.tsv", made[:TRAIN]), ("dev.tsv", made[TRAIN : TRAIN + DEV])):
        rows = "".join(f"{text}\t{label}\n" for text, label in part)
        write_text(folder / name, f"sentence\tlabel\n{rows}")
    rest = [text for text, _ in made[TRAIN + DEV :]]
    for number, texts in enumerate((rest[: UNLABELLED // 2], rest[UNLABELLED // 2 :]), 1):
        write_text(folder / "unlabelled" / f"{number}.txt", "".join(f"{t}\n" for t in texts))
    return f"{TRAIN} generated sentences to train on, {DEV} to test on, {UNLABELLED} without labels"


def _different(generator: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Endless sentences with their labels, none of them twice."""
    seen: set[str] = set()
    while True:
        text, is_liked = _sentence(generator)
        if text not in seen:
            seen.add(text)
            yield text, "positive" if is_liked else "negative"


def _sentence(generator: np.random.Generator) -> tuple[str, bool]:
    """A judgement, or two of which the main clause's counts."""
    main, is_liked = _clause(generator, bool(generator.integers(2)))
    if generator.random() < 0.5:
        return f"{main} .", is_liked
    aside, _ = _clause(generator, not is_liked)
    return CONTRASTS[generator.integers(len(CONTRASTS))].format(aside, main) + " .", is_liked


def _clause(generator: np.random.Generator, is_liked: bool) -> tuple[str, bool]:
    """A judgement of one thing; a third of them by denying the opposite."""
    is_denied = generator.random() < 1 / 3
    words = LIKED if is_liked != is_denied else DISLIKED
    opening = OPENINGS[generator.integers(len(OPENINGS))].format(
        THINGS[generator.integers(len(THINGS))]
    )
    degree = DEGREES[generator.integers(len(DEGREES))]
    word = words[generator.integers(len(words))]
    return f"{opening} {'not ' if is_denied else ''}{degree}{word}", is_liked
