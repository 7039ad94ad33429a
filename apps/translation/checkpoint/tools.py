"""Implementation of `kerasuite translate import` and `export-hf`."""

from pathlib import Path

from apps.translation.checkpoint.config_json import MarianConfig
from apps.translation.checkpoint.marian import MarianCheckpoint, read_checkpoint, write_folder
from apps.translation.checkpoint.weights import load_weights, tensors_of
from apps.translation.config import MARIAN, MIN_RATIO, TranslateConfig
from apps.translation.data import SOURCE_MODEL, TARGET_MODEL, VOCABULARIES
from apps.translation.languages import Languages
from apps.translation.marian_tokenizer import write_vocabularies
from shared.common import config as configs
from shared.common.checkpoint_config import left_out
from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder
from shared.common.weights_origin import tell_origin
from shared.engine.load_app import load_app
from shared.engine.run import Run, load_best, open_run, save_model
from shared.text.special_tokens import END, PAD


def import_checkpoint(app_path: str, source: str, output: Path, offline: bool = False) -> None:
    """Imports a Marian checkpoint as a run folder, as if it had been trained here.

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
    model, unused = _write_run(app, checkpoint, output)
    network = checkpoint.config.model
    languages = " to ".join(name or "a language not named" for name in checkpoint.languages)
    console.print(
        f"{source}: {languages}, {network.num_layers} and "
        f"{network.decoder_layers or network.num_layers} layers, {network.hidden_dim} wide, "
        f"{network.num_heads} heads, {model.count_params():,} parameters\n"
        f"{checkpoint.config.target_size:,} tokens",
        markup=False,
    )
    tell_origin(checkpoint.origin)
    if unused:
        console.print(left_out(unused), markup=False)
    console.print(
        f"It is in {output}. Next:\n"
        f"  kerasuite translate predict {output} FILES --output translated\n"
        f"  kerasuite translate interactive {output}\n"
        f"  kerasuite translate train DATA --init {output}",
        markup=False,
    )


def _write_run(app, checkpoint: MarianCheckpoint, output: Path):
    """Writes the run folder; returns the model and the names of unused tensors."""
    theirs = checkpoint.config
    source, target = checkpoint.vocabularies
    values = {
        "name": output.name,
        "pairs.source": checkpoint.languages[0],
        "pairs.target": checkpoint.languages[1],
        "tokens.vocabulary": MARIAN,
        "tokens.shared_vocabulary": theirs.is_shared,
    }
    for group in ("model", "decoding"):
        leaves = configs.to_dict(getattr(theirs, group))
        usual = configs.to_dict(type(getattr(theirs, group))())
        # The others are of other networks.
        values |= {f"{group}.{n}": value for n, value in leaves.items() if value != usual[n]}
    config = configs.resolve(TranslateConfig, values)
    with atomic_folder(output) as temporary:
        run = Run(config, temporary)
        run.artifacts = {
            "source_language": checkpoint.languages[0],
            "target_language": checkpoint.languages[1],
            "source_vocabulary": len(source.order),
            "target_vocabulary": len(target.order),
            "length_ratio": MIN_RATIO,
            **checkpoint.origin,
        }
        configs.save(config, temporary / "config.yaml")
        run.save_artifacts()
        for name, content in zip((SOURCE_MODEL, TARGET_MODEL), checkpoint.models, strict=True):
            (temporary / name).write_bytes(content)
        write_vocabularies(temporary / VOCABULARIES, source, target)
        app.prepare(run)
        model = app.build(run)
        orders = source.order, target.order
        unused = load_weights(checkpoint.tensors, model, orders, checkpoint.source)
        save_model(model, temporary / "model.keras")
    return model, unused


def export_hugging_face(app_path: str, run_folder: Path, output: Path) -> None:
    """Writes the model of a run as a Marian model that Hugging Face's transformers reads.

    Args:
        app_path: import path of the application.
        run_folder: a run folder.
        output: a new folder.

    Raises:
        KerasuiteError: if the run did not begin with an imported model, or the folder exists.
    """
    _refuse_existing(output)
    app = load_app(app_path)
    run = open_run(app, run_folder)
    config = run.config
    if config.tokens.vocabulary != MARIAN:
        raise KerasuiteError(
            f"{run_folder}: cannot be a Marian model of Hugging Face: its tokens are "
            f"{config.tokens.vocabulary}; a run that began with --init of an imported model has "
            f"Marian's"
        )
    tokenizers = app.tokenizers.source, app.tokenizers.target
    orders = tokenizers[0].vocabulary.order, tokenizers[1].vocabulary.order
    model = load_best(app, run)
    theirs = MarianConfig(
        config.model,
        config.decoding,
        source_size=len(orders[0]) - 1,
        target_size=len(orders[1]) - 1,
        is_shared=config.tokens.shared_vocabulary,
        pad=int(orders[1][PAD]),
        end=int(orders[1][END]),
    )
    languages = Languages.of_run(run.artifacts).sides
    write_folder(output, theirs, tokenizers, languages, tensors_of(model, orders))
    console.print(
        f'It is in {output}. Next: transformers.MarianMTModel.from_pretrained("{output}")',
        markup=False,
    )


def _refuse_existing(output: Path) -> None:
    if output.exists():
        raise KerasuiteError(f"{output}: exists already; choose a new --output")
