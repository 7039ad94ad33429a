"""Commands of `kerasuite bert`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from apps.bert.distillation.config import DistillConfig
from apps.bert.distillation.general.config import GeneralDistillConfig
from apps.bert.finetuning.config import FinetuneConfig
from apps.bert.pretraining.config import PretrainConfig
from apps.bert.runs import APPS, app_of
from shared.common.errors import UsageError
from shared.engine import options, verbs
from shared.engine.load_app import load_module
from shared.engine.task_commands import TaskCommands

# Tasks whose runs do a task, and those whose runs are an encoder alone.
FINE_TUNED = "bert-finetune", "bert-distill"
ENCODERS = "bert-pretrain", "bert-distill-general"

# Options that say how tables of labelled text are read.
READ_BY = tuple(
    f"task_data.{name}"
    for name in ("task_type", "kind", "text_column", "pair_column", "label_column")
)

Pooling = Annotated[
    Literal["mean", "cls", "last-four"],
    typer.Option(
        help="Mean of the last layer, its first position, or mean of four layers. "
        "\\[default: as an imported model says, else mean]"
    ),
]


commands = TaskCommands("BERT: pretraining, fine-tuning, and distillation into TinyBERT.")
commands.add_train(
    APPS["bert-finetune"],
    FinetuneConfig,
    "Fine-tune an encoder on sentences, pairs, choices, tagged words or questions.",
    verb="finetune",
)
commands.add_train(
    APPS["bert-pretrain"],
    PretrainConfig,
    "Pretrain an encoder on plain text: a sentence a line, empty lines between documents.",
    verb="pretrain",
)
commands.add_train(
    APPS["bert-distill"],
    DistillConfig,
    "Train a small student on the outputs of a fine-tuned teacher (TinyBERT and others).",
    verb="distill",
)
commands.add_train(
    APPS["bert-distill-general"],
    GeneralDistillConfig,
    "Train a small encoder on the layers of a pretrained one, on plain text (TinyBERT).",
    verb="distill-general",
)


@commands.command(
    hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
def train():
    """Name the verbs that train: BERT has several in place of `train`."""
    raise UsageError(
        "bert train: use 'bert finetune' for a task, 'bert pretrain' for plain text, "
        "'bert distill' for a small student of a fine-tuned teacher, or 'bert distill-general' "
        "for a small encoder"
    )


commands.add_evaluate(app_of, "Score a run with the metrics of its task.")
commands.add_export(
    app_of,
    "Export a run as a SavedModel: raw text in, labels, spans, answers or vectors out.",
    formats=True,
)


@commands.command()
@options.predict_options()
def predict(settings: options.PredictOptions):
    """Apply a fine-tuned model to TSV, CSV, JSONL, CoNLL and SQuAD files, or lines of text."""
    verbs.predict(app_of(settings.model, FINE_TUNED), settings)


@commands.command()
@options.config_options(FinetuneConfig, only=("task_data",))
def check(
    data: options.Data,
    task: Annotated[
        Literal["finetune", "pretrain"],
        typer.Option(help="Labelled data of a task, or plain text to pretrain on."),
    ] = "finetune",
    overrides=None,
):
    """Report what is in data and what is wrong with it; plain text needs --task pretrain."""
    if task == "pretrain" and overrides:
        flag = next(iter(overrides)).rpartition(".")[2].replace("_", "-")
        raise UsageError(f"--{flag}: applies to labelled data; leave it out with --task pretrain")
    config = FinetuneConfig if task == "finetune" else PretrainConfig
    verbs.check(APPS[f"bert-{task}"], config, data, overrides)


@commands.command(name="import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="A Hugging Face or Google checkpoint folder, hf:ORG/NAME, or minilm.",
            metavar="SOURCE",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="New folder.")],
    lowercase: Annotated[
        bool | None, typer.Option(help="Whether it is uncased. \\[default: as the folder says]")
    ] = None,
    offline: options.Offline = False,
):
    """Read a BERT checkpoint and leave a run folder, as if it had been pretrained here."""
    tools = load_module("apps.bert.checkpoint.tools")
    tools.import_checkpoint(source, output, lowercase, offline)


@commands.command(name="export-hf")
def export_hf(
    run: options.RunFolder,
    output: Annotated[Path, typer.Option("--output", help="New folder.")],
):
    """Write the encoder of a run as a Hugging Face folder."""
    tools = load_module("apps.bert.checkpoint.tools")
    tools.export_hugging_face(run, output)


@commands.command()
@options.predict_options()
def embed(
    settings: options.PredictOptions,
    pooling: Pooling | None = None,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Write vectors of word pieces, not of lines.")
    ] = False,
):
    """Write a vector for every line of text files: vectors.npy and predictions.jsonl."""
    app_path = app_of(settings.model, ENCODERS)
    verbs.predict(app_path, settings, pooling=pooling, tokens=tokens)


@commands.command()
def similar(
    model: options.Model,
    query: Annotated[str, typer.Argument(help="Text to look for.", metavar="QUERY")],
    inputs: options.Inputs,
    top: Annotated[int, typer.Option(help="Lines to show.", min=1)] = 10,
    pooling: Pooling | None = None,
):
    """Print the lines of text files whose meaning is nearest to a query."""
    from apps.bert.embedding.search import search

    search(app_of(model, ENCODERS), model, query, inputs, top, pooling)


@commands.command()
def attention(
    run: options.RunFolder,
    texts: Annotated[
        list[str],
        typer.Argument(help="A sentence, or a sentence and its pair.", metavar="SENTENCE"),
    ],
    layer: Annotated[int, typer.Option(help="Layer, from 1; 0 draws all.", min=0)] = 0,
    output: options.OutputFolder = Path("attention"),
):
    """Draw the weights of each attention head."""
    from apps.bert.attention import draw_attention

    draw_attention(app_of(run), run, texts, output, layer)


@commands.command()
@options.config_options(FinetuneConfig, only=READ_BY)
def augment(
    data: options.Data,
    output: Annotated[Path, typer.Option("--output", help="TSV file.")],
    masked_model: Annotated[
        Path | None, typer.Option(help="A pretrained or imported run that guesses words.")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="Word vectors, as word2vec or GloVe text, for other words.")
    ] = None,
    copies: Annotated[int, typer.Option(help="Changed copies of each sentence.", min=1)] = 20,
    candidates: Annotated[int, typer.Option(help="Words to choose from.", min=1)] = 15,
    probability: Annotated[
        float,
        typer.Option(help="Probability of replacing a word that has candidates.", min=0, max=1),
    ] = 0.4,
    seed: Annotated[int, typer.Option(help="Seed of the random choices.", min=0)] = 1,
    overrides=None,
):
    """Write labelled sentences with some words replaced, to distil on (TinyBERT)."""
    from apps.bert.distillation.tools import augment_data

    augment_data(
        data, output, masked_model, vectors, copies, candidates, probability, seed, overrides
    )


@commands.command()
def compress(
    run: options.RunFolder,
    output: Annotated[Path, typer.Option("--output", help="New run folder.")],
    sparsity: Annotated[
        float, typer.Option(help="Share of the weights to set to zero.", min=0, max=0.99)
    ] = 0.0,
    prune_heads: Annotated[
        int, typer.Option(help="Attention heads to cut out, the least important.", min=0)
    ] = 0,
    embedding_dim: Annotated[
        int, typer.Option(help="Width of factorised token embeddings.", min=0)
    ] = 0,
    int8: Annotated[bool, typer.Option("--int8", help="Export with int8 weights as well.")] = False,
    saved_models: Annotated[Path, typer.Option(help="Root folder of the int8 SavedModel.")] = Path(
        "saved_models"
    ),
):
    """Prune, factorise or quantise a run and print size, speed and score."""
    app_path = app_of(run, FINE_TUNED)
    tools = load_module("apps.bert.compression.tools")
    tools.compress(app_path, run, output, sparsity, prune_heads, embedding_dim, int8, saved_models)
