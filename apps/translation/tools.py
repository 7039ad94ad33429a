"""Commands beside training: attention, scores of given pairs, a prompt."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shared.common.console import console
from shared.common.errors import SOME_REJECTED, KerasuiteError, UsageError
from shared.common.messages import warn
from shared.common.quiet import import_tensorflow
from shared.common.typed_lines import typed_lines

if TYPE_CHECKING:
    from apps.translation.pairs.sentence_pairs import SentencePairs
    from apps.translation.prediction.pair_scores import PairScore
    from apps.translation.predictor import TranslationPredictor
    from shared.engine.saved_model.loaded_model import LoadedModel


def attention(app_path: str, model: Path, sentence: str, output: Path) -> None:
    """Translate a sentence and draw the attention of its pieces on those of the source.

    Args:
        app_path: import path of the application.
        model: SavedModel or run folder.
        sentence: source text.
        output: PNG file to write.
    """
    if output.suffix.lower() != ".png":
        raise UsageError(
            f"--output {output}: a PNG file is written; give a name that ends with .png"
        )
    predictor, loaded = _open(app_path, model, None)
    from apps.translation.prediction.alignment import read_alignment
    from apps.translation.prediction.long_lines import count_words
    from apps.translation.prediction.pieces import cut_lines
    from shared.engine.saved_model.signatures import call_signature, require_signature
    from shared.report.attention_plot import draw
    from shared.text.line_files import clean_line

    text = clean_line(sentence.encode("utf-8", "replace").decode())
    if len(cut_lines(loaded, [text], predictor.max_words)[0]) != 1:
        is_long = count_words(text) > predictor.max_words
        problem = f"has more than {predictor.max_words} words" if is_long else "is too long"
        raise KerasuiteError(f"SENTENCE {problem if text else 'is empty'}; give one sentence")
    require_signature(loaded, "align")
    translation = clean_line(loaded([{"text": text}])[0]["translation"].decode("utf-8", "replace"))
    outputs = call_signature(loaded, "align", text=[text], target=[translation])
    found = read_alignment({name: value[0] for name, value in outputs.items()})
    draw(found.source, found.target, found.attention, output)
    console.print(translation, markup=False)
    console.print(f"The attention is drawn in {output}.", markup=False)


def score(app_path: str, model: Path, files: list[str], output: Path) -> None:
    """Write the log-probability of each target sentence given its source.

    Args:
        app_path: import path of the application.
        model: SavedModel or run folder.
        files: pairs, in the formats that training reads.
        output: tab-separated file with the columns of `pair_scores.HEADER`; the score is the
            natural logarithm, the end of the sentence included, and empty where a side is too
            long.

    Raises:
        typer.Exit: with 3, if pairs were not scored.
    """
    _, loaded = _open(app_path, model, "score")
    from apps.translation.prediction import pair_scores

    pairs = _read_pairs(loaded, files)
    scores = pair_scores.score_pairs(loaded, pairs)
    pair_scores.write_scores(pairs, scores, output)
    known = [found for found in scores if found is not None]
    tokens = sum(found.tokens for found in known)
    mean = sum(found.log_probability for found in known) / max(tokens, 1)
    console.print(
        f"{len(known):,} pairs, {tokens:,} target tokens: {mean:.4f} per token, perplexity "
        f"{math.exp(-mean):.2f}. The scores are in {output}.",
        markup=False,
    )
    _report_long_pairs(pairs, scores)


def _read_pairs(loaded: "LoadedModel", files: list[str]) -> "SentencePairs":
    from apps.translation.config import TranslateConfig
    from apps.translation.languages import Languages
    from apps.translation.pairs.pair_files import other_scripts, read_pairs
    from shared.common import config as configs
    from shared.engine.saved_model.saved_models import EXTRA

    languages = Languages.of_export(loaded.path / EXTRA)
    config = configs.load(TranslateConfig, loaded.path / EXTRA / "config.yaml")
    pairs = read_pairs(files, config, languages.sides)
    for note in (*pairs.notes, *other_scripts(pairs, languages)):
        warn(note)
    return pairs


def _report_long_pairs(pairs: "SentencePairs", scores: "list[PairScore | None]") -> None:
    """Says which pairs were scored in part or not at all; ends with 3 if one was not."""
    from apps.translation.config import MAX_TOKENS
    from apps.translation.prediction.pair_scores import MAX_SCORED_WORDS

    def report(indices: list[int], limit: str, remark: str) -> None:
        if indices:
            warn(
                f"{pairs.where[indices[0]]}: {len(indices):,} pair(s) have a side of more than "
                f"{limit}, this is the first; {remark}; cut them into sentences"
            )

    cut = [index for index, found in enumerate(scores) if found is not None and found.is_cut]
    # Beside the end of the sentence.
    report(cut, f"{MAX_TOKENS - 1} tokens", "only these were scored")
    missing = [index for index, found in enumerate(scores) if found is None]
    report(missing, f"{MAX_SCORED_WORDS} words", "they were not scored")
    if missing:
        raise typer.Exit(SOME_REJECTED)


def interactive(app_path: str, model: Path, **options: Any) -> None:
    """Translate typed lines until the end of the input (Ctrl-D).

    Piped input gets one line for each line, without prompts; an empty one where the model fails.

    Args:
        app_path: import path of the application.
        model: SavedModel or run folder.
        **options: of the predictor.
    """
    predictor, loaded = _open(app_path, model, None, **options)
    import tensorflow as tf

    from shared.engine.saved_model.loaded_model import one_line
    from shared.text.line_files import clean_line

    for line in typed_lines():
        try:
            translation = predictor.translate(loaded, [clean_line(line)])[0].best[0][0]
        except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
            warn(f"this line cannot be translated: {one_line(error)}")
            translation = ""
        print(translation, flush=True)


def _open(
    app_path: str, model: Path, signature: str | None, **options: Any
) -> "tuple[TranslationPredictor, LoadedModel]":
    """The predictor and the loaded model; of its own signature, if None is named."""
    import_tensorflow()
    from shared.engine.load_app import load_app
    from shared.engine.saved_model.loaded_model import LoadedModel
    from shared.engine.saved_model.run_export import saved_model_for

    app = load_app(app_path)
    saved_model = saved_model_for(app, model)
    predictor = app.predictor(saved_model, **options)
    loaded = LoadedModel(saved_model, signature or predictor.signature)
    predictor.start(loaded)
    return predictor, loaded
