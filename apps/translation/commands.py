"""Commands of `kerasuite translate`."""

from pathlib import Path
from typing import Annotated

import typer

from apps.translation.config import TranslateConfig
from shared.engine import options, verbs

APP = "apps.translation.app:TranslateApp"

commands = typer.Typer(
    no_args_is_help=True,
    help="Translation: Transformer, or recurrent encoder-decoder with attention.",
)

BeamSize = Annotated[
    int | None,
    typer.Option(help="Hypotheses kept at each step. [default: the export's]", min=1),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(help="Exponent of the length penalty. [default: the export's]", min=0),
]
Sentence = Annotated[str, typer.Argument(help="A source sentence.", metavar="SENTENCE")]


@commands.command()
@options.config_options(TranslateConfig)
def train(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Trains a translator on two line-aligned files, TSV or a folder of them."""
    verbs.train(APP, TranslateConfig, data or [], output, config, resume, overrides)


@commands.command()
def evaluate(run: options.RunFolder, data: options.MoreData = None, debug: options.Debug = False):
    """Scores a run: BLEU and chrF with their signatures, by length, with samples."""
    verbs.evaluate(APP, run, data)


@commands.command()
def export(
    run: options.RunFolder,
    output: options.ExportRoot = Path("saved_models"),
    name: options.Name = "",
    debug: options.Debug = False,
):
    """Exports a run as a SavedModel: sentence in, sentence out, beam search included."""
    verbs.export(APP, run, output, name)


@commands.command()
def predict(
    model: options.Model,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("predictions"),
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    n_best: Annotated[
        int, typer.Option(help="Write so many translations of each line; 0 is off.", min=0)
    ] = 0,
    sample: Annotated[
        bool, typer.Option("--sample", help="Draw translations at random, not the best ones.")
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(help="--sample: below 1 prefers likely tokens. [default: 1]"),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(help="--sample: draw from so many likeliest tokens; 0 is all. [default: 0]"),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            help="--sample: draw from the likeliest tokens of this probability. [default: 1]"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="--sample: another seed draws other translations. [default: 1]"),
    ] = None,
    scores: Annotated[
        bool,
        typer.Option(
            "--scores",
            help="Write the score of each line: its log-probability over the length penalty.",
        ),
    ] = False,
    alignments: Annotated[
        bool, typer.Option("--alignments", help="Write which source piece each piece comes from.")
    ] = False,
    batch_size: options.BatchSize = 32,
    format: options.Table = "jsonl",
    limit: options.Limit = 0,
    shard: options.Shard = "",
    threads: options.Threads = 4,
    resume: options.Resume = False,
    debug: options.Debug = False,
):
    """Translates text files line by line into translations/, under the same names."""
    from apps.translation.prediction.search import Search

    draws = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    search = Search(beam_size, length_penalty, n_best, sample, **draws)
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
        search=search,
        scores=scores,
        alignments=alignments,
    )


@commands.command()
@options.config_options(TranslateConfig, only=("pairs", "tokens"))
def check(data: options.Data, debug: options.Debug = False, overrides=None):
    """Reports what is in sentence pairs and what is wrong with them."""
    verbs.check(APP, TranslateConfig, data, overrides)


@commands.command()
def attention(
    model: options.Model,
    sentence: Sentence,
    output: Annotated[Path, typer.Option("--output", help="PNG file.")] = Path("attention.png"),
    debug: options.Debug = False,
):
    """Draws which source piece each target piece looked at."""
    from apps.translation import tools

    tools.attention(APP, model, sentence, output)


@commands.command()
def score(
    model: options.Model,
    files: Annotated[
        list[str], typer.Argument(help="Two line-aligned files, or TSV.", metavar="PAIRS")
    ],
    output: Annotated[Path, typer.Option("--output", help="TSV file.")] = Path("scores.tsv"),
    debug: options.Debug = False,
):
    """Writes the log-probability of each target sentence, given its source."""
    from apps.translation import tools

    tools.score(APP, model, files, output)


@commands.command()
def interactive(
    model: options.Model,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    debug: options.Debug = False,
):
    """Translates what is typed or piped in, line by line."""
    from apps.translation import tools
    from apps.translation.prediction.search import Search

    tools.interactive(APP, model, search=Search(beam_size, length_penalty))
