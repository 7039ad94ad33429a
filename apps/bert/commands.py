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

commands = typer.Typer(
    no_args_is_help=True,
    help="BERT: pretraining, fine-tuning, and distillation into TinyBERT.",
)

# Tasks whose runs do a task, and those whose runs are an encoder alone.
FINE_TUNED = "bert-finetune", "bert-distill"
ENCODERS = "bert-pretrain", "bert-distill-general"

Pooling = Annotated[
    Literal["mean", "cls", "last-four"],
    typer.Option(help="Mean of the last layer, its first position, or mean of four layers."),
]


@commands.command()
@options.config_options(FinetuneConfig)
def finetune(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Fine-tunes an encoder on sentences, pairs, choices, tagged words or questions."""
    verbs.train(
        APPS["bert-finetune"], FinetuneConfig, data or [], output, config, resume, overrides
    )


@commands.command()
@options.config_options(PretrainConfig)
def pretrain(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Pretrains an encoder on plain text: a sentence a line, empty lines between documents."""
    verbs.train(
        APPS["bert-pretrain"], PretrainConfig, data or [], output, config, resume, overrides
    )


@commands.command()
@options.config_options(DistillConfig)
def distill(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Trains a small student on what a fine-tuned teacher computes (TinyBERT and others)."""
    verbs.train(APPS["bert-distill"], DistillConfig, data or [], output, config, resume, overrides)


@commands.command(name="distill-general")
@options.config_options(GeneralDistillConfig)
def distill_general(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Trains a small encoder on the layers of a pretrained one, on plain text (TinyBERT)."""
    app, config_type = APPS["bert-distill-general"], GeneralDistillConfig
    verbs.train(app, config_type, data or [], output, config, resume, overrides)


@commands.command()
def evaluate(run: options.RunFolder, data: options.MoreData = None, debug: options.Debug = False):
    """Scores a run with the metrics of its task."""
    verbs.evaluate(app_of(run), run, data)


@commands.command()
def export(
    run: options.RunFolder,
    output: options.ExportRoot = Path("saved_models"),
    name: options.Name = "",
    debug: options.Debug = False,
):
    """Exports a run as a SavedModel: raw text in, labels, spans, answers or vectors out."""
    verbs.export(app_of(run), run, output, name)


@commands.command()
def predict(
    model: options.Model,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("predictions"),
    batch_size: options.BatchSize = 32,
    format: options.Table = "jsonl",
    limit: options.Limit = 0,
    shard: options.Shard = "",
    threads: options.Threads = 4,
    resume: options.Resume = False,
    debug: options.Debug = False,
):
    """Applies a fine-tuned model to TSV, CSV, JSONL, CoNLL and SQuAD files, or lines of text."""
    verbs.predict(
        app_of(model, FINE_TUNED),
        model,
        inputs,
        output,
        batch_size=batch_size,
        format=format,
        limit=limit,
        shard=shard,
        threads=threads,
        resume=resume,
    )


@commands.command()
@options.config_options(FinetuneConfig, only=("task_data",))
def check(
    data: options.Data,
    task: Annotated[
        Literal["finetune", "pretrain"],
        typer.Option(help="What for: labelled data of a task, or plain text to pretrain on."),
    ] = "finetune",
    debug: options.Debug = False,
    overrides=None,
):
    """Reports what is in data and what is wrong with them; plain text wants --task pretrain."""
    if task == "pretrain" and overrides:
        flag = next(iter(overrides)).rpartition(".")[2].replace("_", "-")
        raise UsageError(f"--{flag}: is about labelled data; leave it out with --task pretrain")
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
        bool | None, typer.Option(help="Whether it is uncased. [default: as the folder says]")
    ] = None,
    debug: options.Debug = False,
):
    """Reads a BERT checkpoint and leaves a run folder, as if it had been pretrained here."""
    tools = load_module("apps.bert.checkpoint.tools")
    tools.import_checkpoint(source, output, lowercase)


@commands.command(name="export-hf")
def export_hf(
    run: options.RunFolder,
    output: Annotated[Path, typer.Option("--output", help="New folder.")],
    debug: options.Debug = False,
):
    """Writes the encoder of a run as a Hugging Face folder."""
    tools = load_module("apps.bert.checkpoint.tools")
    tools.export_hugging_face(run, output)


@commands.command()
def embed(
    model: options.Model,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("predictions"),
    pooling: Pooling = "mean",
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Write vectors of word pieces, not of lines.")
    ] = False,
    batch_size: options.BatchSize = 32,
    format: options.Table = "jsonl",
    limit: options.Limit = 0,
    shard: options.Shard = "",
    threads: options.Threads = 4,
    resume: options.Resume = False,
    debug: options.Debug = False,
):
    """Writes a vector for every line of text files: vectors.npy and predictions.jsonl."""
    verbs.predict(
        app_of(model, ENCODERS),
        model,
        inputs,
        output,
        batch_size=batch_size,
        format=format,
        limit=limit,
        shard=shard,
        threads=threads,
        resume=resume,
        pooling=pooling,
        tokens=tokens,
    )


@commands.command()
def similar(
    model: options.Model,
    query: Annotated[str, typer.Argument(help="What to look for.", metavar="QUERY")],
    inputs: options.Inputs,
    top: Annotated[int, typer.Option(help="Lines to show.", min=1)] = 10,
    pooling: Pooling = "mean",
    debug: options.Debug = False,
):
    """Prints the lines of text files whose meaning is nearest to a query."""
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
    debug: options.Debug = False,
):
    """Draws what each attention head looks at."""
    from apps.bert.attention import draw_attention

    draw_attention(app_of(run), run, texts, output, layer)


@commands.command()
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
        float, typer.Option(help="Of replacing a word that has candidates.", min=0, max=1)
    ] = 0.4,
    seed: Annotated[int, typer.Option(help="Seed of the random choices.", min=0)] = 1,
    debug: options.Debug = False,
):
    """Writes labelled sentences with some words replaced, to distil on (TinyBERT)."""
    from apps.bert.distillation.tools import augment_data

    augment_data(
        data,
        output,
        masked_model=masked_model,
        vectors=vectors,
        copies=copies,
        candidates=candidates,
        probability=probability,
        seed=seed,
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
    debug: options.Debug = False,
):
    """Prunes, factorises or quantises a run and prints size, speed and score."""
    place = app_of(run, FINE_TUNED)
    load_module("apps.bert.compression.tools").compress(
        place,
        run,
        output,
        sparsity=sparsity,
        prune_heads=prune_heads,
        embedding_dim=embedding_dim,
        int8=int8,
        saved_models=saved_models,
    )
