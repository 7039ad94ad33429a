"""What the commands beside training do: attention, scores of given pairs, a prompt."""

import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from shared.engine.errors import KerasuiteError
from shared.engine.messages import warn
from shared.engine.quiet import import_tensorflow

if TYPE_CHECKING:
    from apps.translation.pairs.pair_files import SentencePairs
    from apps.translation.predictor import TranslationPredictor
    from shared.engine.loaded_model import LoadedModel

console = Console(soft_wrap=True, highlight=False)
PROMPT = "> "
# Pairs, and words of the longer sides together, in one call; a longer text is not scored.
PAIRS_OF_CALL, WORDS_OF_CALL, LONGEST_SCORED = 64, 4096, 1000
HEADER = ("where", "score", "tokens", "source", "target")


def attention(place: str, model: Path, sentence: str, output: Path) -> None:
    """Translates a sentence and draws which source pieces each target piece looked at."""
    predictor, loaded = _open(place, model, None)
    from apps.translation.prediction.alignment import read_alignment
    from apps.translation.prediction.long_lines import cut_line
    from apps.translation.prediction.signatures import call_signature, require_signature
    from shared.engine.attention_plot import draw, missing_characters
    from shared.text.line_files import clean_line

    text = clean_line(sentence.encode("utf-8", "replace").decode())
    if len(cut_line(text, predictor.max_words)) != 1:
        problem = "is empty" if not text else f"has more than {predictor.max_words} words"
        raise KerasuiteError(f"SENTENCE {problem}; give one sentence")
    require_signature(loaded, "align")
    translation = clean_line(loaded([{"text": text}])[0]["translation"].decode("utf-8", "replace"))
    outputs = call_signature(loaded, "align", text=[text], target=[translation])
    found = read_alignment({name: value[0] for name, value in outputs.items()})
    draw(found.source, found.target, found.attention, output)
    if missing := missing_characters([*found.source, *found.target]):
        warn(f"no installed font has {missing[:20]}; install one such as Noto Sans CJK")
    console.print(translation, markup=False)
    console.print(f"The attention is drawn in {output}.", markup=False)


def score(place: str, model: Path, files: list[str], output: Path) -> None:
    """Writes the log-probability of each target sentence given its source.

    Args:
        place, model: the application, and a SavedModel or a run folder.
        files: pairs, in the formats that training reads.
        output: tab-separated file with the columns of HEADER; the score is the natural logarithm,
            the end of the sentence included, and empty where a side is too long.
    """
    _, loaded = _open(place, model, "score")
    from apps.translation.config import TranslateConfig
    from apps.translation.languages import read_languages
    from apps.translation.pairs.pair_files import read_pairs
    from shared.engine import config as configs
    from shared.engine.export import EXTRA

    extra = loaded.path / EXTRA
    config = configs.load(TranslateConfig, extra / "config.yaml")
    pairs = read_pairs(files, config, read_languages(extra))
    scores = score_pairs(loaded, pairs)
    _write_scores(pairs, scores, output)
    known = [found for found in scores if found is not None]
    if len(known) < len(scores):
        warn(
            f"{len(scores) - len(known)} pair(s) have a side of more than {LONGEST_SCORED} words "
            "and were not scored; cut them into sentences"
        )
    total, tokens = (sum(column) for column in zip(*known, strict=True)) if known else (0.0, 0)
    mean = total / max(tokens, 1)
    console.print(
        f"{len(known):,} pairs, {tokens:,} target tokens: {mean:.4f} per token, perplexity "
        f"{math.exp(-mean):.2f}. The scores are in {output}.",
        markup=False,
    )


def score_pairs(model: "LoadedModel", pairs: "SentencePairs") -> list[tuple[float, int] | None]:
    """(log-probability, target tokens) of each pair; None where a side is too long."""
    from apps.translation.prediction.long_lines import batches, count_words
    from apps.translation.prediction.signatures import call_signature

    lengths = [
        max(count_words(source), count_words(target))
        for source, target in zip(pairs.source, pairs.target, strict=True)
    ]
    kept = [index for index, length in enumerate(lengths) if length <= LONGEST_SCORED]
    found: list[tuple[float, int] | None] = [None] * len(lengths)
    for batch in batches([lengths[index] for index in kept], PAIRS_OF_CALL, WORDS_OF_CALL):
        chosen = [kept[place] for place in batch]
        outputs = call_signature(
            model,
            "score",
            text=[_bytes(pairs.source[index]) for index in chosen],
            target=[_bytes(pairs.target[index]) for index in chosen],
        )
        for index, value, tokens in zip(chosen, outputs["score"], outputs["tokens"], strict=True):
            found[index] = float(value), int(tokens)
    return found


def interactive(place: str, model: Path, **options: Any) -> None:
    """Translates what is typed, line by line, until the end of the input (Ctrl-D).

    Piped input gets one line for each line, without prompts; an empty one where the model fails.
    """
    predictor, loaded = _open(place, model, None, **options)
    import tensorflow as tf

    from shared.engine.loaded_model import one_line
    from shared.text.line_files import clean_line

    for line in _typed() if sys.stdin.isatty() else _piped():
        try:
            translation = predictor.translate(loaded, [clean_line(line)])[0].best[0][0]
        except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
            warn(f"this line cannot be translated: {one_line(error)}")
            translation = ""
        print(translation, flush=True)


def _typed() -> Iterator[str]:
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  Arrow keys and history for `input`.
    while True:
        try:
            # What is no UTF-8 comes as surrogates, which no tensor takes.
            yield input(PROMPT).encode("utf-8", "replace").decode()
        except EOFError:
            print()
            return


def _piped() -> Iterable[str]:
    return (line.decode("utf-8", "replace") for line in sys.stdin.buffer)


def _open(
    place: str, model: Path, signature: str | None, **options: Any
) -> "tuple[TranslationPredictor, LoadedModel]":
    """The predictor and the loaded model; of its own signature, if None is named."""
    import_tensorflow()
    from shared.engine.export import saved_model_for
    from shared.engine.loaded_model import LoadedModel
    from shared.engine.verbs import load_app

    app = load_app(place)
    saved_model = saved_model_for(app, model)
    predictor = app.predictor(saved_model, **options)
    loaded = LoadedModel(saved_model, signature or predictor.signature)
    predictor.start(loaded)
    return predictor, loaded


def _write_scores(pairs: "SentencePairs", scores: list, output: Path) -> None:
    from shared.engine.files import write_text
    from shared.text.line_files import clean_line

    lines = ["\t".join(HEADER)]
    columns = (pairs.where, scores, pairs.source, pairs.target)
    for where, found, source, target in zip(*columns, strict=True):
        value, tokens = ("", "") if found is None else (f"{found[0]:.6f}", str(found[1]))
        texts = [clean_line(text) for text in (source, target)]
        lines.append("\t".join([clean_line(where), value, tokens, *texts]))
    write_text(output, "\n".join(lines) + "\n")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
