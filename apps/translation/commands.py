"""Commands of `kerasuite translate`."""

from pathlib import Path
from typing import Annotated

import typer

from apps.translation.config import TranslateConfig
from shared.engine import options, verbs
from shared.engine.load_app import load_module
from shared.engine.task_commands import TaskCommands

APP = "apps.translation.app:TranslateApp"

BeamSize = Annotated[
    int | None,
    typer.Option(help="Hypotheses kept at each step. \\[default: the export's]", min=1),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(help="Exponent of the length penalty. \\[default: the export's]", min=0),
]
Sentence = Annotated[str, typer.Argument(help="A source sentence.", metavar="SENTENCE")]

commands = TaskCommands("Translation: Transformer, or recurrent encoder-decoder with attention.")
commands.add_train(
    APP, TranslateConfig, "Train a translator on two line-aligned files, TSV or a folder of them."
)
commands.add_evaluate(
    APP,
    "Score a run: BLEU and chrF with their signatures, by length, with samples.",
    TranslateConfig,
    only=("decoding",),
)
commands.add_export(
    APP, "Export a run as a SavedModel: sentence in, sentence out, beam search included."
)
commands.add_check(
    APP,
    TranslateConfig,
    "Report what is in sentence pairs and what is wrong with them.",
    only=("pairs", "tokens"),
)


@commands.command(name="import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder with a Marian model of Hugging Face, or hf:ORG/NAME.", metavar="SOURCE"
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="New folder.")],
    offline: options.Offline = False,
):
    """Read a Marian checkpoint and leave a run folder, as if it had been trained here."""
    tools = load_module("apps.translation.checkpoint.tools")
    tools.import_checkpoint(APP, source, output, offline)


@commands.command(name="export-hf")
def export_hf(
    run: options.RunFolder,
    output: Annotated[Path, typer.Option("--output", help="New folder.")],
):
    """Write a run that began with an imported Marian model as a Hugging Face folder."""
    load_module("apps.translation.checkpoint.tools").export_hugging_face(APP, run, output)


@commands.command()
@options.predict_options()
def predict(
    settings: options.PredictOptions,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    n_best: Annotated[
        int, typer.Option(help="Write this many translations of each line; 0 is off.", min=0)
    ] = 0,
    sample: Annotated[
        bool, typer.Option("--sample", help="Draw translations at random, not the best ones.")
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(help="--sample: below 1 prefers likely tokens. \\[default: 1]"),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(help="--sample: draw from the k likeliest tokens; 0 is all. \\[default: 0]"),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            help="--sample: draw from the likeliest tokens of this probability. \\[default: 1]"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="--sample: another seed draws other translations. \\[default: 1]"),
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
):
    """Translate text files line by line into translations/, under the same names."""
    from apps.translation.prediction.search import Search

    draws = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    search = Search(beam_size, length_penalty, n_best, sample, **draws)
    verbs.predict(APP, settings, search=search, scores=scores, alignments=alignments)


@commands.command()
def attention(
    model: options.Model,
    sentence: Sentence,
    output: Annotated[Path, typer.Option("--output", help="PNG file.")] = Path("attention.png"),
):
    """Draw the attention of each target piece over the source pieces."""
    from apps.translation import tools

    tools.attention(APP, model, sentence, output)


@commands.command()
def score(
    model: options.Model,
    files: Annotated[
        list[str], typer.Argument(help="Two line-aligned files, or TSV.", metavar="PAIRS")
    ],
    output: Annotated[Path, typer.Option("--output", help="TSV file.")] = Path("scores.tsv"),
):
    """Write the log-probability of each target sentence, given its source."""
    from apps.translation import tools

    tools.score(APP, model, files, output)


@commands.command()
def interactive(
    model: options.Model,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
):
    """Translate typed or piped text, line by line."""
    from apps.translation import tools
    from apps.translation.prediction.search import Search

    tools.interactive(APP, model, search=Search(beam_size, length_penalty))
