"""Start of a run: encoder, vocabulary and weights, from --init or from scratch."""

import dataclasses
import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras

from apps.bert.checkpoint.resolve import resolve_checkpoint
from apps.bert.checkpoint.tokenizer_files import (
    PIECES,
    Tokenizer,
    load_tokenizer,
    make_tokenizer,
    tokenizer_assets,
    tokenizer_contents,
)
from apps.bert.checkpoint.vocabulary_files import read_vocabulary_file
from apps.bert.checkpoint.weights import load_encoder
from apps.bert.encoder_config import EncoderConfig
from apps.bert.sentence_piece_tokenizer import SentencePieceTokenizer
from apps.bert.vocabulary import VocabularyConfig
from shared.common.config import from_dict, inherit_group, to_dict
from shared.common.errors import KerasuiteError
from shared.common.files import read_json, write_text
from shared.common.messages import warn
from shared.engine.run import Run, load_init
from shared.text.wordpiece_tokenizer import WordPieceTokenizer
from shared.text.wordpiece_training import learn_wordpiece

# Settings of an encoder that its weights do not determine.
DROPOUT = ("dropout", "attention_dropout")
# Modules of the models of runs, which Keras must know before it loads one.
MODELS = (
    "apps.bert.finetuning.fine_tuner",
    "apps.bert.pretraining.pretrainer",
    "apps.bert.distillation.distiller",
    "apps.bert.distillation.general.general_distiller",
)


def prepare_start(
    run: Run, texts: Callable[[], Iterable[str]], length: tuple[str, int]
) -> dict[str, Any]:
    """Writes the vocabulary of a run into its folder and returns its encoder.

    With --init the configuration is updated to the encoder found there.

    Args:
        run: a new run.
        texts: returns the training texts, if word pieces are learnt.
        length: option and value of the longest sequence in word pieces.

    Returns:
        Artifacts "encoder" and "vocabulary_size".

    Raises:
        KerasuiteError: if --init, the vocabulary or the shape cannot be used.
    """
    config = run.config
    if is_run(config.init):
        shape = _copy_from_run(Path(config.init), run.folder)
    elif config.init:
        checkpoint = resolve_checkpoint(config.init)
        write_vocabulary(make_tokenizer(checkpoint), run.folder)
        shape = checkpoint.config
    else:
        shape = config.encoder
        check_shape(shape, length)
        _write_own_vocabulary(config.tokens, texts, run.folder)
    check_shape(shape, length)
    if config.init:
        run.config = resolved_with_init(config, shape)
    tokenizer = load_tokenizer(run.folder)
    dropout = {name: getattr(config.encoder, name) for name in DROPOUT}
    encoder = to_dict(dataclasses.replace(shape, **dropout))
    return {"encoder": encoder, "vocabulary_size": tokenizer.vocabulary_size}


def resolved_with_init(config: Any, shape: EncoderConfig) -> Any:
    """The configuration of a run with the encoder of --init.

    Warns of options that contradict --init and have no effect.
    """
    resolved, unused = inherit_group(config, "encoder", shape, DROPOUT)
    if hasattr(config, "tokens") and config.tokens.vocabulary:
        unused.insert(0, "--vocabulary")
    if unused:
        warn(f"--init {config.init}: brings its encoder and vocabulary; not used: "
             f"{', '.join(unused)}")  # fmt: skip
    return resolved


def check_shape(shape: EncoderConfig, length: tuple[str, int], name: str = "encoder") -> None:
    """Raises KerasuiteError if the shape is impossible or has too few positions.

    Args:
        shape: configuration of the encoder.
        length: option and value of the longest sequence in word pieces.
        name: name of the encoder in messages.
    """
    if shape.hidden_dim % shape.num_heads:
        raise KerasuiteError(
            f"--num-heads {shape.num_heads}: does not divide --hidden-dim {shape.hidden_dim}; "
            f"change one of them"
        )
    named = len(shape.heads_per_layer)
    if named and named != shape.num_layers:
        raise KerasuiteError(
            f"--heads-per-layer: names the heads of {named} layers, there are {shape.num_layers} "
            f"(--num-layers)"
        )
    option, max_length = length
    if max_length > shape.max_positions:
        raise KerasuiteError(
            f"{option} {max_length}: the {name} has {shape.max_positions} positions; lower it"
        )


def start_weights(run: Run, model: keras.Model) -> None:
    """Loads the weights of --init: all that fit of a run, or the encoder of a checkpoint."""
    if is_run(run.config.init):
        for module in MODELS:
            importlib.import_module(module)
        load_init(run, model)
    elif run.config.init:
        missing = load_encoder(resolve_checkpoint(run.config.init), model.encoder)
        if missing:
            warn(f"--init {run.config.init}: has no {', '.join(missing)}; starts untrained")


def is_run(init: str) -> bool:
    """Whether the value of --init is a run folder."""
    return bool(init) and (Path(init) / "config.yaml").is_file()


def encoder_shape(run: Run) -> EncoderConfig:
    """The configuration of a prepared run's encoder."""
    return from_dict(EncoderConfig, run.artifacts["encoder"])


# === Vocabulary files ===


def write_vocabulary(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes the vocabulary and settings files of a tokenizer into a folder."""
    for name, text in tokenizer_assets(tokenizer).items():
        write_text(folder / name, text)
    if isinstance(tokenizer, SentencePieceTokenizer):
        (folder / PIECES).write_bytes(tokenizer.model)


def _copy_from_run(source: Path, folder: Path) -> EncoderConfig:
    artifacts = source / "artifacts.json"
    values = read_json(artifacts) if artifacts.is_file() else {}
    contents = tokenizer_contents(source)
    if "encoder" not in values or not contents:
        raise KerasuiteError(f"--init {source}: is no run of 'kerasuite bert'; give one, or an "
                             f"encoder such as minilm")  # fmt: skip
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return from_dict(EncoderConfig, values["encoder"])


def _write_own_vocabulary(
    config: VocabularyConfig, texts: Callable[[], Iterable[str]], folder: Path
) -> None:
    if not config.vocabulary:
        pieces = learn_wordpiece(texts(), config.vocabulary_size, config.lowercase)
    elif Path(config.vocabulary).is_file():
        pieces = read_vocabulary_file(Path(config.vocabulary))
    else:
        raise KerasuiteError(f"--vocabulary {config.vocabulary}: no such file; give a vocab.txt")
    write_vocabulary(WordPieceTokenizer(pieces, config.lowercase), folder)
