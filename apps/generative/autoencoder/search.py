"""The pictures whose codes are nearest to that of a query."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.files import printable
from shared.common.inputs import Source, find_inputs
from shared.common.messages import warn
from shared.engine.load_app import load_app
from shared.engine.prediction.predictor import Predictor
from shared.engine.saved_model.loaded_model import LoadedModel
from shared.engine.saved_model.run_export import saved_model_for
from shared.image.thumbnail import input_thumbnail
from shared.report.plots import image_grid

BATCH = 32


def search(
    import_path: str, model: Path, query: Path, inputs: list[str], top: int, output: Path | None
) -> None:
    """Prints the pictures in the order of their codes' Euclidean distance from the query's.

    Args:
        import_path: import path of the application.
        model: a SavedModel or a run folder.
        query: a picture file.
        inputs: files, folders or globs of pictures.
        top: number of pictures to print.
        output: PNG file to draw the query and them into; or None.

    Raises:
        KerasuiteError: if the query or all inputs cannot be read.
    """
    app = load_app(import_path)
    saved_model = saved_model_for(app, model)
    predictor = app.predictor(saved_model)
    loaded = LoadedModel(saved_model, predictor.signature)
    loaded.require(predictor.inputs, predictor.outputs)
    asked = find_inputs([query], predictor.suffixes)
    if len(asked) != 1:
        raise KerasuiteError(f"QUERY {query}: is no single picture; name one file")
    wanted = loaded([predictor.read(asked[0])])[0]["code"]
    sources, codes = coded(find_inputs(inputs, predictor.suffixes), predictor, loaded)
    distances = np.linalg.norm(codes - wanted, axis=-1)
    nearest = np.argsort(distances, kind="stable")[:top]
    for index in nearest:
        console.print(f"{distances[index]:.3f}  {printable(sources[index].name)}", markup=False)
    for line in predictor.remarks():
        warn(line)
    if output is not None:
        shown = [asked[0], *(sources[index] for index in nearest)]
        captions = ["query", *(f"{distances[index]:.3f}" for index in nearest)]
        pictures = [np.asarray(input_thumbnail(each, predictor.max_pixels)) for each in shown]
        image_grid(pictures, captions, output)
        console.print(f"They are drawn in {output}.", markup=False)


def coded(
    sources: Sequence[Source], predictor: Predictor, loaded: LoadedModel
) -> tuple[list[Source], np.ndarray]:
    """The readable sources and their codes, float (N, Z).

    Args:
        sources: picture files.
        predictor: reads them.
        loaded: the model.

    Raises:
        KerasuiteError: if none can be read.
    """
    read, codes = [], []
    for part in _batches(sources, predictor):
        read += [source for source, _ in part]
        codes += [outputs["code"] for outputs in loaded([example for _, example in part])]
    if not codes:
        raise KerasuiteError("INPUT: no picture could be read; see the warnings above")
    return read, np.stack(codes)


def _batches(sources: Sequence[Source], predictor: Predictor) -> Iterator[list]:
    """Sources and what is read from them, up to `BATCH` at once; bad ones are named."""
    batch = []
    for source in sources:
        try:
            batch.append((source, predictor.read(source)))
        except KerasuiteError as error:
            warn(f"{printable(source.name)}: {source.named_in(str(error))}; left out")
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
