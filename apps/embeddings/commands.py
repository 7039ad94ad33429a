"""Commands of `kerasuite embed`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from apps.embeddings.config import EmbedConfig
from shared.engine import options, verbs
from shared.engine.load_app import load_module
from shared.engine.task_commands import TaskCommands

APP = "apps.embeddings.app:EmbedApp"

Vectors = Annotated[
    Path,
    typer.Argument(
        help="A run folder, a SavedModel or a file of vectors (word2vec, GloVe, fastText).",
        metavar="MODEL",
    ),
]
Top = Annotated[int, typer.Option("--top", help="Number of results to show.", min=1)]
Weighting = Annotated[
    Literal["mean", "sif"],
    typer.Option(
        help="Mean of the words' vectors, or sif: rare words count more, and what the training "
        "documents have in common is subtracted (Arora et al., 2017)."
    ),
]

commands = TaskCommands("Word embeddings: word2vec (skip-gram, CBOW) and GloVe, from plain text.")
commands.add_train(
    APP,
    EmbedConfig,
    "Train word vectors on text files, folders or .gz, one document a line or running text.",
)
commands.add_export(
    APP, "Export a run as a SavedModel: tokens in, vectors, neighbours and document vectors out."
)
commands.add_check(
    APP, EmbedConfig, "Report what is in a corpus and what is wrong with it.", only=("corpus",)
)


@commands.command(name="import")
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            help="A file of vectors (word2vec, GloVe, fastText, projector), also packed.",
            metavar="FILE",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="New folder.")],
    language: Annotated[str, typer.Option(help="Language of the words (ISO 639).")] = "en",
    pattern: Annotated[
        Literal["words", "whitespace"],
        typer.Option(help="Extract words from text, or split it at white space only."),
    ] = "words",
):
    """Read a file of vectors and leave a run folder, as if they had been trained here."""
    tools = load_module("apps.embeddings.imported")
    tools.import_vectors(APP, source, output, language, pattern)


@commands.command()
def evaluate(model: Vectors, data: options.MoreData = None):
    """Score similarity and analogies: WordSim-353, SimLex-999, questions-words or own files."""
    if model.is_file():
        from apps.embeddings.tools import evaluate_file

        evaluate_file(model, data or [])
    else:
        verbs.evaluate(APP, model, data)


@commands.command()
@options.predict_options()
def predict(settings: options.PredictOptions, weighting: Weighting = "mean"):
    """Write vectors of text files: a line for each in predictions.jsonl, all in vectors.npy."""
    verbs.predict(APP, settings, weighting=weighting)


@commands.command()
def neighbors(
    model: Vectors,
    words: Annotated[list[str], typer.Argument(help="Words.", metavar="WORD")],
    top: Top = 10,
):
    """Show the words nearest to each WORD by cosine similarity."""
    from apps.embeddings import tools

    tools.show_neighbors(model, words, top)


@commands.command()
def analogy(
    model: Vectors,
    a: Annotated[str, typer.Argument(help="A is to", metavar="A")],
    b: Annotated[str, typer.Argument(help="B as", metavar="B")],
    c: Annotated[str, typer.Argument(help="C is to ...", metavar="C")],
    top: Top = 5,
    multiply: Annotated[
        bool, typer.Option("--multiply", help="3CosMul (Levy and Goldberg, 2014), not 3CosAdd.")
    ] = False,
):
    """Complete "A is to B as C is to ...", for example man king woman."""
    from apps.embeddings import tools

    tools.show_analogy(model, a, b, c, top, multiply)


@commands.command()
def convert(
    model: Vectors,
    output: Annotated[Path, typer.Option("--output", help="File, or folder for projector.")],
    format: Annotated[
        str, typer.Option(help="word2vec, word2vec-binary, glove or projector (TensorBoard).")
    ] = "word2vec",
):
    """Write vectors in another format."""
    from apps.embeddings import tools

    tools.convert(model, output, format)


@commands.command()
def plot(
    model: Vectors,
    words: Annotated[
        list[str] | None, typer.Argument(help="Words; by default frequent ones.", metavar="WORD")
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="PNG file.")] = Path("words.png"),
    method: Annotated[str, typer.Option(help="pca or tsne.")] = "pca",
    top: Top = 150,
):
    """Draw a map of words: principal components or t-SNE."""
    from apps.embeddings import tools

    tools.plot(model, words or [], output, method, top)


@commands.command()
def search(
    model: options.Model,
    query: Annotated[str, typer.Argument(help="Text to look for.", metavar="QUERY")],
    inputs: options.Inputs,
    top: Top = 10,
    weighting: Weighting = "sif",
):
    """Rank text files by their similarity to QUERY."""
    from apps.embeddings import tools

    tools.search(APP, model, query, inputs, top, weighting)
