"""Commands beside training: texts without files, and a prompt."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from shared.common.files import printable
from shared.common.messages import warn
from shared.common.quiet import import_tensorflow
from shared.common.typed_lines import typed_lines

if TYPE_CHECKING:
    from apps.language.prediction.text_predictor import TextPredictor
    from apps.language.prediction.writing import Writing
    from shared.engine.saved_model.loaded_model import LoadedModel

RULE = "-" * 72


def sample(app_path: str, model: Path, prompt: str, writing: "Writing") -> None:
    """Print texts that a model writes, with rules between them.

    Args:
        app_path: import path of the application.
        model: SavedModel or run folder.
        prompt: beginning of each text.
        writing: how they are written, and how many.
    """
    predictor, loaded = _open(app_path, model, writing)
    from apps.language.prediction.text_predictor import notes

    (written,) = predictor.write(loaded, [prompt.encode("utf-8", "replace")])
    for note in notes(written):
        warn(f"--prompt: {note}")
    print(f"\n{RULE}\n".join(shown(prompt + text) for text, _ in written.texts))


def interactive(app_path: str, model: Path, writing: "Writing") -> None:
    """Continue typed lines until the end of the input (Ctrl-D).

    Args:
        app_path: import path of the application.
        model: SavedModel or run folder.
        writing: how texts are written.
    """
    predictor, loaded = _open(app_path, model, writing)
    import tensorflow as tf

    from apps.language.prediction.text_predictor import notes
    from shared.engine.saved_model.loaded_model import one_line

    for line in typed_lines():
        prompt = line.removesuffix("\n").removesuffix("\r")
        try:
            (written,) = predictor.write(loaded, [prompt.encode("utf-8", "replace")])
        except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
            warn(f"this line cannot be continued: {one_line(error)}")
            continue
        for note in notes(written):
            warn(note)
        print(shown(prompt + written.texts[0][0]), flush=True)


def shown(text: str) -> str:
    """A text for a terminal: of control characters, line ends and tabs stay what they are."""
    return re.sub(r"[^\n\t]+", lambda part: printable(part[0]), text)


def _open(app_path: str, model: Path, writing: "Writing") -> "tuple[TextPredictor, LoadedModel]":
    import_tensorflow()
    from shared.engine.load_app import load_app
    from shared.engine.saved_model.loaded_model import LoadedModel
    from shared.engine.saved_model.run_export import saved_model_for

    app = load_app(app_path)
    saved_model = saved_model_for(app, model)
    predictor = app.predictor(saved_model, writing=writing)
    loaded = LoadedModel(saved_model, predictor.signature)
    predictor.start(loaded)
    return predictor, loaded
