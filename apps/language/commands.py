"""Commands of `kerasuite lm`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.language.config import LanguageConfig
from shared.engine import options, verbs
from shared.engine.load_app import load_module
from shared.engine.task_commands import TaskCommands

if TYPE_CHECKING:
    from apps.language.prediction.writing import Writing

APP = "apps.language.app:LanguageApp"

MaxTokens = Annotated[
    int | None, typer.Option(help="Largest number of tokens to write. \\[default: the export's]")
]
Temperature = Annotated[
    float | None,
    typer.Option(
        help="Below 1 prefers likely tokens; 0 takes the likeliest. \\[default: the export's]"
    ),
]
TopK = Annotated[
    int | None,
    typer.Option(help="Draw from the k likeliest tokens; 0 is all. \\[default: the export's]"),
]
TopP = Annotated[
    float | None,
    typer.Option(
        help="Draw from the likeliest tokens of this probability. \\[default: the export's]"
    ),
]
RepetitionPenalty = Annotated[
    float | None,
    typer.Option(help="Above 1: tokens of the text so far are less likely. \\[default: 1]"),
]
Seed = Annotated[int | None, typer.Option(help="Another seed draws other texts. \\[default: 1]")]
Stop = Annotated[
    list[str] | None, typer.Option(help="End a text before this string; may be given repeatedly.")
]
BeamSize = Annotated[
    int | None,
    typer.Option(help="Search for the likeliest text with this many hypotheses; draw nothing."),
]


@dataclass(frozen=True)
class WritingOptions:
    """The options of every command that writes; `writing_options` adds them."""

    max_tokens: MaxTokens = None
    temperature: Temperature = None
    top_k: TopK = None
    top_p: TopP = None
    repetition_penalty: RepetitionPenalty = None
    seed: Seed = None
    stop: Stop = None

    def writing(self, **more) -> "Writing":
        """How texts are written, by these options and those that a command has beside them."""
        from apps.language.prediction.writing import Writing

        return Writing(**asdict(self) | {"stop": tuple(self.stop or ())} | more)


writing_options = options.field_options(WritingOptions, "drawn")

commands = TaskCommands("Language models: recurrent networks and Transformers that write text.")
commands.add_train(
    APP,
    LanguageConfig,
    "Train a language model on text files, folders, .gz or .zip; a file is one running text.",
)
commands.add_evaluate(
    APP, "Score a run: perplexity by token and by word, bits per character and byte."
)
commands.add_export(APP, "Export a run as a SavedModel: prompt in, text out, the writing included.")
commands.add_check(
    APP,
    LanguageConfig,
    "Report what is in a text and what is wrong with it.",
    only=("text", "tokens"),
)


@commands.command(name="import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder with a GPT-2 of Hugging Face, or hf:ORG/NAME.", metavar="SOURCE"
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="New folder.")],
    offline: options.Offline = False,
):
    """Read a GPT-2 checkpoint and leave a run folder, as if it had been trained here."""
    tools = load_module("apps.language.checkpoint.tools")
    tools.import_checkpoint(APP, source, output, offline)


@commands.command(name="export-hf")
def export_hf(
    run: options.RunFolder,
    output: Annotated[Path, typer.Option("--output", help="New folder.")],
):
    """Write a run that began with an imported GPT-2 as a Hugging Face folder."""
    tools = load_module("apps.language.checkpoint.tools")
    tools.export_hugging_face(APP, run, output)


@commands.command()
@options.predict_options()
@writing_options
def predict(
    settings: options.PredictOptions,
    drawn: WritingOptions,
    whole_files: Annotated[
        bool, typer.Option("--whole-files", help="Continue each file, not each line of it.")
    ] = False,
    samples: Annotated[int, typer.Option(help="Texts to draw for each prompt.")] = 1,
    beam_size: BeamSize = None,
    n_best: Annotated[int, typer.Option(help="--beam-size: texts for each prompt.")] = 1,
    length_penalty: Annotated[
        float | None,
        typer.Option(help="--beam-size: exponent of the length penalty. \\[default: 0.6]"),
    ] = None,
):
    """Continue each line of text files, or each file."""
    writing = drawn.writing(
        samples=samples, beam_size=beam_size, n_best=n_best, length_penalty=length_penalty
    )
    verbs.predict(APP, settings, writing=writing, whole_files=whole_files)


@commands.command()
@writing_options
def sample(
    model: options.Model,
    drawn: WritingOptions,
    prompt: Annotated[str, typer.Option(help="Beginning of each text.")] = "",
    samples: Annotated[int, typer.Option(help="Texts to draw.")] = 3,
):
    """Print texts that the model writes by itself."""
    from apps.language import tools

    tools.sample(APP, model, prompt, drawn.writing(samples=samples))


@commands.command()
@options.predict_options()
def score(settings: options.PredictOptions):
    """Write the log-probability of each line of text files, for ranking and filtering."""
    verbs.predict(APP, settings, score=True)


@commands.command()
@writing_options
def interactive(model: options.Model, drawn: WritingOptions):
    """Continue typed or piped lines."""
    from apps.language import tools

    tools.interactive(APP, model, drawn.writing())
