"""Search by meaning: the lines of text files that are nearest to a query."""

from pathlib import Path

import numpy as np

from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.engine.load_app import load_app

MAX_SHOWN_LENGTH = 100


def search(place: str, model: Path, query: str, inputs: list[str], top: int, pooling: str) -> None:
    """Prints the lines whose vectors have the largest cosine with that of the query."""
    app = load_app(place)
    from shared.common.inputs import find_inputs
    from shared.engine.saved_model.loaded_model import LoadedModel
    from shared.engine.saved_model.run_export import saved_model_for

    if not query.strip():
        raise KerasuiteError("QUERY: is empty; say what to look for")
    saved_model = saved_model_for(app, model)
    predictor = app.predictor(saved_model, pooling=pooling)
    loaded = LoadedModel(saved_model, predictor.signature)
    places, lines = _lines(find_inputs(inputs, predictor.suffixes), predictor)
    vectors = _vectors([query, *lines], predictor, loaded)
    cosines = vectors[1:] @ vectors[0]
    for index in np.argsort(-cosines, kind="stable")[:top]:
        text = lines[index][:MAX_SHOWN_LENGTH]
        console.print(f"{cosines[index]:.3f}  {places[index]}  {text}", markup=False)


def _lines(sources, predictor) -> tuple[list[str], list[str]]:
    """Where each line stands, and the lines that hold something."""
    places, lines = [], []
    for source in sources:
        try:
            for part in predictor.split(source):
                text = predictor.read(part)["text"]
                if text:
                    places.append(f"{source.name}:{part.line}")
                    lines.append(text)
        except KerasuiteError as error:
            warn(f"{source.name}: {error}; left out")
    if not lines:
        raise KerasuiteError("INPUT: no line of text in it; name files with text")
    return places, lines


def _vectors(texts: list[str], predictor, loaded, batch_size: int = 32) -> np.ndarray:
    """Vectors of length 1, (N, D); texts of like length are computed together."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    found: list = [None] * len(texts)
    name = predictor.outputs[0]
    for begin in range(0, len(order), batch_size):
        part = order[begin : begin + batch_size]
        outputs = loaded([{"text": texts[index]} for index in part])
        for index, output in zip(part, outputs, strict=True):
            found[index] = output[name] / max(np.linalg.norm(output[name]), 1e-12)
    return np.stack(found)
