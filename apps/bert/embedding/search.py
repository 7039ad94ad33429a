"""Semantic search: the lines of text files that are nearest to a query."""

from pathlib import Path

import numpy as np

from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.engine.load_app import load_app

MAX_SHOWN_LENGTH = 100


def search(
    import_path: str, model: Path, query: str, inputs: list[str], top: int, pooling: str | None
) -> None:
    """Prints the lines whose vectors have the largest cosine similarity with the query's.

    Args:
        import_path: import path of the application of the model.
        model: a SavedModel or a run folder.
        query: text to search for.
        inputs: files, folders or globs of text.
        top: number of lines to print.
        pooling: see `EmbeddingPredictor`.
    """
    app = load_app(import_path)
    from shared.common.inputs import find_inputs
    from shared.engine.saved_model.loaded_model import LoadedModel
    from shared.engine.saved_model.run_export import saved_model_for

    if not query.strip():
        raise KerasuiteError("QUERY: is empty; give a text to search for")
    saved_model = saved_model_for(app, model)
    predictor = app.predictor(saved_model, pooling=pooling)
    loaded = LoadedModel(saved_model, predictor.signature)
    locations, lines = _lines(find_inputs(inputs, predictor.suffixes), predictor)
    vectors = _vectors([query, *lines], predictor, loaded)
    cosines = vectors[1:] @ vectors[0]
    for index in np.argsort(-cosines, kind="stable")[:top]:
        text = lines[index][:MAX_SHOWN_LENGTH]
        console.print(f"{cosines[index]:.3f}  {locations[index]}  {text}", markup=False)


def _lines(sources, predictor) -> tuple[list[str], list[str]]:
    """Locations and texts of the lines that are not empty."""
    locations, lines = [], []
    for source in sources:
        try:
            for part in predictor.split(source):
                text = predictor.read(part)["text"]
                if text:
                    locations.append(f"{source.name}:{part.line}")
                    lines.append(text)
        except KerasuiteError as error:
            warn(f"{source.name}: {error}; left out")
    if not lines:
        raise KerasuiteError("INPUT: no line of text in it; name files with text")
    return locations, lines


def _vectors(texts: list[str], predictor, loaded, batch_size: int = 32) -> np.ndarray:
    """Vectors of length 1, (N, D); batches have texts of similar length."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    found: list = [None] * len(texts)
    name = predictor.outputs[0]
    for begin in range(0, len(order), batch_size):
        part = order[begin : begin + batch_size]
        outputs = loaded([{"text": texts[index]} for index in part])
        for index, output in zip(part, outputs, strict=True):
            found[index] = output[name] / max(np.linalg.norm(output[name]), 1e-12)
    return np.stack(found)
