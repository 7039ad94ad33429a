"""Implementation of `kerasuite lm import` and `export-hf`."""

from pathlib import Path

import numpy as np

from apps.language.checkpoint.config_json import Gpt2Config
from apps.language.checkpoint.gpt2 import Gpt2Checkpoint, read_checkpoint, write_folder
from apps.language.checkpoint.weights import load_weights, tensors_of
from apps.language.config import LanguageConfig
from apps.language.tokenizers.byte_level_tokenizer import write_vocabulary
from apps.language.tokenizers.kinds import VOCABULARY
from shared.common import config as configs
from shared.common.checkpoint_config import left_out
from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder
from shared.common.weights_origin import tell_origin
from shared.engine.load_app import load_app
from shared.engine.run import Run, load_best, open_run, save_model
from shared.text.special_tokens import END

KIND = "byte-bpe"


def import_checkpoint(app_path: str, source: str, output: Path, offline: bool = False) -> None:
    """Imports a GPT-2 checkpoint as a run folder, as if it had been trained here.

    Args:
        app_path: import path of the application.
        source: a folder, or "hf:ORG/NAME[@REVISION]".
        output: a new folder.
        offline: see `fetch`.

    Raises:
        KerasuiteError: if the checkpoint cannot be used, or the folder exists.
    """
    _refuse_existing(output)
    app = load_app(app_path)
    checkpoint = read_checkpoint(source, offline)
    model, vocabulary, unused = _write_run(app, checkpoint, output)
    config = checkpoint.config
    console.print(
        f"{source}: {config.model.num_layers} layers, {config.model.hidden_dim} wide, "
        f"{config.model.num_heads} heads, {config.positions:,} positions, "
        f"{model.count_params():,} parameters\n{vocabulary:,} byte-level tokens",
        markup=False,
    )
    tell_origin(checkpoint.origin)
    if unused:
        console.print(left_out(unused), markup=False)
    console.print(
        f"It is in {output}. Next:\n"
        f'  kerasuite lm sample {output} --prompt "Once upon a time"\n'
        f"  kerasuite lm evaluate {output} DATA\n"
        f"  kerasuite lm train DATA --init {output}",
        markup=False,
    )


def _write_run(app, checkpoint: Gpt2Checkpoint, output: Path):
    """Writes the run folder; returns the model, the number of tokens and unused tensors."""
    theirs = checkpoint.config
    values = {
        "name": output.name,
        "text.sequence_length": theirs.positions,
        "tokens.vocabulary": KIND,
        "tokens.vocabulary_size": len(checkpoint.vocabulary.names),
    }
    values |= {f"model.{name}": value for name, value in configs.to_dict(theirs.model).items()}
    config = configs.resolve(LanguageConfig, values)
    with atomic_folder(output) as temporary:
        run = Run(config, temporary)
        run.artifacts = {
            "vocabulary_size": len(checkpoint.vocabulary.names),
            **checkpoint.origin,
        }
        configs.save(config, temporary / "config.yaml")
        run.save_artifacts()
        write_vocabulary(checkpoint.vocabulary, theirs.end, temporary / VOCABULARY[KIND])
        app.prepare(run)
        model = app.build(run)
        order = app.tokenizer.order
        unused = load_weights(checkpoint.tensors, model, order, checkpoint.source)
        save_model(model, temporary / "model.keras")
    return model, sum(map(bool, checkpoint.vocabulary.names)), unused


def export_hugging_face(app_path: str, run_folder: Path, output: Path) -> None:
    """Writes the model of a run as a GPT-2 that Hugging Face's transformers reads.

    Args:
        app_path: import path of the application.
        run_folder: a run folder.
        output: a new folder.

    Raises:
        KerasuiteError: if the run's network or tokens are not GPT-2's, or the folder exists.
    """
    _refuse_existing(output)
    app = load_app(app_path)
    run = open_run(app, run_folder)
    config = run.config
    if reason := not_gpt2(config):
        raise KerasuiteError(f"{run_folder}: cannot be a GPT-2 of Hugging Face: {reason}")
    order = app.tokenizer.order
    model = load_best(app, run)
    vocabulary = app.tokenizer.vocabulary
    theirs = Gpt2Config(
        config.model, config.text.sequence_length, len(vocabulary.names), int(order[END])
    )
    write_folder(output, theirs, vocabulary, tensors_of(model, np.asarray(order)))
    console.print(
        f'It is in {output}. Next: transformers.AutoModelForCausalLM.from_pretrained("{output}")',
        markup=False,
    )


def not_gpt2(config: LanguageConfig) -> str:
    """Why the model of a run cannot be written as a GPT-2, or "" if it can."""
    model = config.model
    if model.architecture != "transformer":
        return f"it has the architecture {model.architecture}, not transformer"
    if model.positions != "learned":
        return f"it has {model.positions} positions, not learned ones"
    if config.tokens.vocabulary != KIND:
        return (
            f"its tokens are {config.tokens.vocabulary}, not GPT-2's bytes; a run that began with "
            f"--init of an imported model has these"
        )
    return ""


def _refuse_existing(output: Path) -> None:
    if output.exists():
        raise KerasuiteError(f"{output}: exists already; choose a new --output")
