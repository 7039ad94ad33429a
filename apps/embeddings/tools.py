"""Commands on trained vectors: neighbours, analogies, conversion, maps, search."""

from pathlib import Path

import numpy as np
from rich.table import Table

from apps.embeddings.evaluator import WORDS_PLOTTED, Judgements, detailed_scores, shown_words
from apps.embeddings.vectors.document_vectors import rank
from apps.embeddings.vectors.vector_files import FORMATS, read_vectors, write_vectors
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.common.names import read_names
from shared.common.quiet import import_tensorflow

BATCH = 256


def load_vectors(path: Path) -> WordVectors:
    """Loads the vectors of a run folder, a SavedModel or a file.

    Raises:
        KerasuiteError: if `path` is none of them.
    """
    if path.is_file():
        return read_vectors(path)
    import_tensorflow()
    return _of_run(path) if (path / "config.yaml").is_file() else _of_saved_model(path)


def _of_run(folder: Path) -> WordVectors:
    from apps.embeddings.app import EmbedApp
    from shared.engine.run import load_best, open_run

    app = EmbedApp()
    run = open_run(app, folder)
    return app.word_vectors(load_best(app, run))


def _of_saved_model(path: Path) -> WordVectors:
    from apps.embeddings.data import WORDS
    from shared.engine.saved_model.loaded_model import LoadedModel
    from shared.engine.saved_model.saved_models import find_saved_model

    folder = find_saved_model(path)
    words_file = folder / "assets" / WORDS
    if not words_file.is_file():
        raise KerasuiteError(f"{folder}: is no SavedModel of word vectors; give another MODEL")
    words = read_names(words_file)
    model = LoadedModel(folder)
    rows = [
        output["vector"]
        for begin in range(0, len(words), BATCH)
        for output in model([{"token": word} for word in words[begin : begin + BATCH]])
    ]
    return WordVectors(words, np.stack(rows))


def evaluate_file(path: Path, files: list[str]) -> None:
    """Prints the scores of a file of vectors."""
    judgements = Judgements(files)
    for name, value in detailed_scores(read_vectors(path), judgements).items():
        if not isinstance(value, dict):
            console.print(f"{name:32} {value if isinstance(value, (int, str)) else f'{value:.6g}'}")
            continue
        for section, counts in value.items():
            share = counts["correct"] / counts["asked"]
            console.print(f"  {section:30} {share:.3f}  of {counts['asked']}")


def show_neighbors(model: Path, words: list[str], top: int) -> None:
    """Prints a table with the nearest words of each word in a column.

    Args:
        model: see `load_vectors`.
        words: known words.
        top: int. Number of neighbours.
    """
    vectors = load_vectors(model)
    columns = [vectors.neighbors(word, top) for word in words]
    table = Table(box=None)
    for word in words:
        table.add_column(word, no_wrap=True)
    for row in zip(*columns, strict=True):
        table.add_row(*(f"{word} {cosine:.3f}" for word, cosine in row))
    console.print(table)


def show_analogy(model: Path, a: str, b: str, c: str, top: int, multiply: bool) -> None:
    """Prints the best answers to "a is to b as c is to ..." with their scores.

    Args:
        model: see `load_vectors`.
        a: str. A known word.
        b: str. A known word.
        c: str. A known word.
        top: int. Number of answers.
        multiply: bool. Whether to rank by 3CosMul instead of 3CosAdd.
    """
    answers = load_vectors(model).analogy(a, b, c, top, "3cosmul" if multiply else "3cosadd")
    console.print(f"{a} is to {b} as {c} is to", markup=False)
    for word, score in answers:
        console.print(f"  {word:20} {score:.3f}", markup=False)


def convert(model: Path, output: Path, format: str) -> None:
    """Writes vectors in another format.

    Args:
        model: see `load_vectors`.
        output: see `write_vectors`.
        format: str. One of `FORMATS`.
    """
    if format not in FORMATS:
        raise KerasuiteError(f"--format {format}: unknown; one of {', '.join(FORMATS)}")
    vectors = load_vectors(model)
    write_vectors(vectors, output, format)
    console.print(f"{len(vectors):,} vectors of {vectors.dim} numbers are in {output} ({format}).")


def plot(model: Path, words: list[str], output: Path, method: str, top: int) -> None:
    """Draws a map of words.

    Args:
        model: see `load_vectors`.
        words: words to draw; without any, frequent ones.
        output: PNG file.
        method: str. See `plot_projection`.
        top: int. Number of frequent words.
    """
    from apps.embeddings.vectors.projection_plot import plot_projection

    vectors = load_vectors(model)
    chosen = words or shown_words(vectors.words, min(top, WORDS_PLOTTED * 4))
    plot_projection(vectors, output, chosen, method)
    console.print(f"{len(chosen)} words are drawn in {output}.")


def search(
    import_path: str, model: Path, query: str, inputs: list[str], top: int, weighting: str
) -> None:
    """Prints the text files that are nearest to a query.

    Args:
        import_path: str. "module:Class" of the application.
        model: a run folder or a SavedModel.
        query: str. Words to look for.
        inputs: files, folders or globs.
        top: int. Number of files to print.
        weighting: "mean" or "sif". See `DocumentPredictor`.
    """
    import_tensorflow()
    from shared.common.inputs import find_inputs
    from shared.engine.load_app import load_app
    from shared.engine.saved_model.loaded_model import LoadedModel
    from shared.engine.saved_model.run_export import saved_model_for

    app = load_app(import_path)
    saved_model = saved_model_for(app, model)
    predictor = app.predictor(saved_model, weighting=weighting)
    loaded = LoadedModel(saved_model, predictor.signature)
    words = predictor.text_words("QUERY", query.encode())
    answer = loaded([{"text": " ".join(words)}])[0]
    if not answer["known"]:
        raise KerasuiteError(f"QUERY '{query}': holds no word that the model knows; use others")
    names, vectors = _document_vectors(find_inputs(inputs, predictor.suffixes), predictor, loaded)
    for index, cosine in rank(answer["vector"], vectors, top):
        console.print(f"{cosine:.3f}  {names[index]}", markup=False)


def _document_vectors(sources, predictor, loaded) -> tuple[list[str], np.ndarray]:
    names, rows = [], []
    for source in sources:
        try:
            output = loaded([predictor.read(source)])[0]
            predictor.record(source, output)
        except KerasuiteError as error:
            warn(f"{source.name}: {error}; left out")
            continue
        names.append(source.name)
        rows.append(output["vector"])
    if not rows:
        raise KerasuiteError("no text file could be ranked; see the warnings above")
    return names, np.stack(rows)
