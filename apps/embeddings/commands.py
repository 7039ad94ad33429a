"""Commands of `kerasuite embed`."""

from pathlib import Path
from typing import Annotated

import typer

from apps.embeddings.config import EmbedConfig
from shared.engine import options, verbs

APP = "apps.embeddings.app:EmbedApp"

commands = typer.Typer(
    no_args_is_help=True,
    help="Word embeddings: word2vec (skip-gram, CBOW) and GloVe, from plain text.",
)

Vectors = Annotated[
    Path,
    typer.Argument(
        help="A run folder, a SavedModel or a file of vectors (word2vec, GloVe).", metavar="MODEL"
    ),
]
Top = Annotated[int, typer.Option("--top", help="How many to show.", min=1)]
Weighting = Annotated[
    str, typer.Option(help="mean, or sif: rare words count more (Arora et al., 2017).")
]


@commands.command()
@options.config_options(EmbedConfig)
def train(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Trains word vectors on text files, folders or .gz, one document a line or running text."""
    verbs.train(APP, EmbedConfig, data or [], output, config, resume, overrides)


@commands.command()
def evaluate(model: Vectors, data: options.MoreData = None, debug: options.Debug = False):
    """Word similarity and analogies: WordSim-353, SimLex-999, questions-words, or your files."""
    if model.is_file():
        from apps.embeddings.tools import evaluate_file

        evaluate_file(model, data or [])
    else:
        verbs.evaluate(APP, model, data)


@commands.command()
def export(
    run: options.RunFolder,
    output: options.ExportRoot = Path("saved_models"),
    name: options.Name = "",
    debug: options.Debug = False,
):
    """Exports a run as a SavedModel: tokens in, vectors, neighbours and document vectors out."""
    verbs.export(APP, run, output, name)


@commands.command()
def predict(
    model: options.Model,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("predictions"),
    weighting: Weighting = "mean",
    batch_size: options.BatchSize = 32,
    format: options.Table = "jsonl",
    limit: options.Limit = 0,
    shard: options.Shard = "",
    threads: options.Threads = 4,
    resume: options.Resume = False,
    debug: options.Debug = False,
):
    """Vectors of text files: predictions.jsonl has one line for each, vectors.npy all of them."""
    verbs.predict(
        APP,
        model,
        inputs,
        output,
        batch_size=batch_size,
        format=format,
        limit=limit,
        shard=shard,
        threads=threads,
        resume=resume,
        weighting=weighting,
    )


@commands.command()
@options.config_options(EmbedConfig, only=("corpus",))
def check(data: options.Data, debug: options.Debug = False, overrides=None):
    """Reports what is in a corpus and what is wrong with it."""
    verbs.check(APP, EmbedConfig, data, overrides)


@commands.command()
def neighbors(
    model: Vectors,
    words: Annotated[list[str], typer.Argument(help="Words.", metavar="WORD")],
    top: Top = 10,
    debug: options.Debug = False,
):
    """Shows the words nearest to each WORD, by cosine similarity."""
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
    debug: options.Debug = False,
):
    """Completes "A is to B as C is to ...", for example man king woman."""
    from apps.embeddings import tools

    tools.show_analogy(model, a, b, c, top, multiply)


@commands.command()
def convert(
    model: Vectors,
    output: Annotated[Path, typer.Option("--output", help="File, or folder for projector.")],
    format: Annotated[
        str, typer.Option(help="word2vec, word2vec-binary, glove or projector (TensorBoard).")
    ] = "word2vec",
    debug: options.Debug = False,
):
    """Writes vectors in another format."""
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
    debug: options.Debug = False,
):
    """Draws a map of words: principal components or t-SNE."""
    from apps.embeddings import tools

    tools.plot(model, words or [], output, method, top)


@commands.command()
def search(
    model: options.Model,
    query: Annotated[str, typer.Argument(help="What to look for.", metavar="QUERY")],
    inputs: options.Inputs,
    top: Top = 10,
    weighting: Weighting = "sif",
    debug: options.Debug = False,
):
    """Ranks text files by how near they are to QUERY."""
    from apps.embeddings import tools

    tools.search(APP, model, query, inputs, top, weighting)
