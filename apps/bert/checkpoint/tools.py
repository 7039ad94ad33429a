"""Implementation of `kerasuite bert import` and `export-hf`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from apps.bert.checkpoint.checkpoint import Checkpoint
from apps.bert.checkpoint.hugging_face import save_hugging_face
from apps.bert.checkpoint.names import COPIES
from apps.bert.checkpoint.resolve import resolve_checkpoint
from apps.bert.checkpoint.tokenizer_files import settings_of
from apps.bert.checkpoint.weights import checked_tensors
from apps.bert.runs import APPS, app_of
from shared.common.checkpoint_config import left_out
from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.weights_origin import origin_of, tell_origin
from shared.engine.load_app import load_app
from shared.text.wordpiece_tokenizer import WordPieceTokenizer


def import_checkpoint(
    source: str, output: Path, lowercase: bool | None = None, offline: bool = False
) -> None:
    """Imports a checkpoint as the run folder of a pretraining.

    Args:
        source: see `resolve_checkpoint`.
        output: a new folder.
        lowercase, offline: see `resolve_checkpoint`.

    Raises:
        KerasuiteError: if the checkpoint cannot be used, or the folder exists.
    """
    if output.exists():
        raise KerasuiteError(f"{output}: exists already; choose a new --output")
    app = load_app(APPS["bert-pretrain"])
    checkpoint = resolve_checkpoint(source, lowercase, offline)
    tensors, missing = checked_tensors(checkpoint)
    from apps.bert.pretraining.imported import write_imported_run

    origin = {"imported_from": source}
    if checkpoint.folder is not None:
        origin = origin_of(source, checkpoint.folder)
    write_imported_run(app, checkpoint, output, origin)
    tell_origin(origin)
    for line in describe(checkpoint, tensors, missing):
        console.print(line, markup=False)
    console.print(
        f"It is in {output}. Next:\n"
        f"  kerasuite bert finetune DATA --init {output}\n"
        f"  kerasuite bert embed {output} FOLDER --output predictions",
        markup=False,
    )


def export_hugging_face(run_folder: Path, output: Path) -> None:
    """Writes the encoder of a run as a folder that Hugging Face's transformers reads."""
    if output.exists():
        raise KerasuiteError(f"{output}: exists already; choose a new --output")
    app = load_app(app_of(run_folder))
    from apps.bert.pretraining.imported import has_masked_lm
    from shared.engine.run import load_best, open_run

    run = open_run(app, run_folder)
    model = load_best(app, run)
    tokenizer = app.tokenizer
    is_other = not isinstance(tokenizer, WordPieceTokenizer)
    if is_other or run.config.encoder.sum_width == "embedding":
        raise KerasuiteError(
            f"{run_folder}: has the tokens or embeddings of a RoBERTa, an ELECTRA or an ALBERT, "
            f"which no BERT of Hugging Face has; it can be used here only"
        )
    heads = getattr(model, "pretraining_heads", None)
    if not has_masked_lm(run):
        heads = None
    save_hugging_face(output, model.encoder, tokenizer.vocabulary, settings_of(tokenizer), heads)
    without = ", without the head that was fine-tuned" if hasattr(model, "head") else ""
    console.print(
        f'It is in {output}{without}. Next: transformers.AutoModel.from_pretrained("{output}")',
        markup=False,
    )


def describe(
    checkpoint: Checkpoint, tensors: Mapping[str, np.ndarray], missing: list[str]
) -> list[str]:
    """A checkpoint's shape, its missing parts and the unused tensors, in lines for the user.

    Args:
        checkpoint: the checkpoint.
        tensors, missing: see `checked_tensors`.
    """
    config, size = checkpoint.config, sum(tensor.size for tensor in tensors.values())
    kind = "SentencePiece tokens" if checkpoint.pieces else "word pieces"
    kind = "byte-level tokens" if checkpoint.merges else kind
    case = "lower-cased" if checkpoint.settings.lowercase else "cased"
    lines = [
        f"{checkpoint.source}: {config.num_layers} layers, {config.hidden_dim} wide, "
        f"{config.num_heads} heads, {config.max_positions} positions, {size:,} parameters",
        f"{len(checkpoint.vocabulary):,} {kind}, {case}",
    ]
    if checkpoint.sentence_vectors:
        lines.append(f"Vectors of sentences, as modules.json says: {checkpoint.sentence_vectors}")
    if missing:
        lines.append(f"It has no {' and no '.join(missing)}; these parts start untrained.")
    unused = [name for name in checkpoint.tensors if name not in tensors and name not in COPIES]
    if unused:
        lines.append(left_out(unused))
    return lines
