"""Implementation of `kerasuite bert compress`: a smaller copy of a run and its figures."""

import dataclasses
import shutil
from pathlib import Path

import keras
from rich.table import Table

from apps.bert.compression.factorisation import copy_factorised, factorised_config
from apps.bert.compression.head_pruning import (
    copy_heads,
    head_importance,
    heads_to_keep,
    pruned_config,
)
from apps.bert.compression.measure import Figures, measure
from apps.bert.compression.quantisation import quantise_weights
from apps.bert.compression.weight_pruning import prune_weights
from apps.bert.start import encoder_shape
from shared.common import config as configs
from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder
from shared.engine.load_app import load_app
from shared.engine.run import Run, load_best, open_run, save_model
from shared.engine.saved_model.export import export
from shared.engine.training.card import write_card
from shared.engine.training.finish import write_evaluation

# Batches of the training data to measure the importance of heads on.
IMPORTANCE_BATCHES = 32
# Files of a run folder about the uncompressed model and its training.
NOT_COPIED = (
    "checkpoints", "tensorboard", "plots", "samples", "evaluation", "export", "history.csv",
    "metrics.json", "README.md", "*.partial*",
)  # fmt: skip


def compress(
    import_path: str,
    folder: Path,
    output: Path,
    sparsity: float = 0.0,
    prune_heads: int = 0,
    embedding_dim: int = 0,
    int8: bool = False,
    saved_models: Path = Path("saved_models"),
) -> None:
    """Writes a compressed copy of a run, or its int8 SavedModel, and prints the figures.

    Args:
        import_path: import path of the application that made the run.
        folder: a fine-tuned or distilled run.
        output: a new run folder.
        sparsity: share of the weights to set to zero.
        prune_heads: number of attention heads to remove.
        embedding_dim: width of factorised token embeddings.
        int8: whether to write a SavedModel with int8 weights as well.
        saved_models: root folder of the SavedModel.

    Raises:
        KerasuiteError: if no compression is chosen, or it is impossible.
    """
    if not (sparsity or prune_heads or embedding_dim or int8):
        raise KerasuiteError(
            "compress: no method; give --sparsity, --prune-heads, --embedding-dim or --int8"
        )
    if output.exists():
        raise KerasuiteError(f"{output}: exists already; choose a new --output")
    app = load_app(import_path)
    run = open_run(app, folder)
    model = load_best(app, run)
    rows = {"before": measure(app, run, model)}
    if prune_heads:
        run, model = _without_heads(app, run, model, prune_heads)
        rows[f"{prune_heads} {'heads' if prune_heads > 1 else 'head'} less"] = measure(
            app, run, model
        )
    if embedding_dim:
        run, model = _factorised(app, run, model, embedding_dim)
        rows[f"embeddings of {embedding_dim}"] = measure(app, run, model)
    if sparsity:
        zeros = prune_weights(model, sparsity)
        rows[f"{zeros:.0%} zeros"] = measure(app, run, model)
    if sparsity or prune_heads or embedding_dim:
        _write_run(app, run, model, output)
        console.print(f"The compressed run is in {output}.", markup=False)
    if int8:
        quantise_weights(model)
        rows["int8 weights"] = figures = measure(app, run, model)
        name = f"{output.name}-int8"
        paths = export(app, run, model, saved_models, name=name, metrics=figures.metrics)
        console.print(f"The int8 SavedModel is in {paths['']}.", markup=False)
    show(rows)


def _without_heads(app, run: Run, model: keras.Model, count: int) -> tuple[Run, keras.Model]:
    config = encoder_shape(run)
    if config.shared_layers:
        raise KerasuiteError("--prune-heads: all blocks of this encoder are one; leave it out")
    heads = sum(block.attention.num_heads for block in model.encoder.blocks)
    if count > heads - len(model.encoder.blocks):
        raise KerasuiteError(
            f"--prune-heads {count}: the model has {heads}, and each of its "
            f"{len(model.encoder.blocks)} blocks keeps one"
        )
    batches = app.batches(run, "train").take(IMPORTANCE_BATCHES)
    kept = heads_to_keep(head_importance(model, batches), count)
    return _rebuilt(
        app, run, pruned_config(config, kept), lambda target: copy_heads(model, target, kept)
    )


def _factorised(app, run: Run, model: keras.Model, width: int) -> tuple[Run, keras.Model]:
    config = encoder_shape(run)
    if config.embedding_dim or width >= config.hidden_dim:
        raise KerasuiteError(
            f"--embedding-dim {width}: give less than the encoder's width of {config.hidden_dim}, "
            f"and a model that is not factorised yet"
        )
    return _rebuilt(
        app, run, factorised_config(config, width), lambda target: copy_factorised(model, target)
    )


def _rebuilt(app, run: Run, config, fill) -> tuple[Run, keras.Model]:
    """The same run with an encoder of another shape."""
    run = dataclasses.replace(run, artifacts=run.artifacts | {"encoder": configs.to_dict(config)})
    model = app.build(run)
    fill(model)
    return run, model


def _write_run(app, run: Run, model: keras.Model, output: Path) -> None:
    """Writes the run folder of the smaller model, with its own metrics."""
    with atomic_folder(output) as temporary:
        shutil.copytree(
            run.folder, temporary, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_COPIED)
        )
        config = configs.replaced(run.config, {"name": ""})
        configs.save(config, temporary / "config.yaml")
        copy = dataclasses.replace(run, config=config, folder=temporary)
        copy.save_artifacts()
        save_model(model, temporary / "model.keras")
        app.calibrate(copy, model)
        metrics = write_evaluation(app, copy, model)
        # The card names the folder that this one becomes.
        named = dataclasses.replace(copy, folder=output)
        write_card(app, named, metrics, folder=temporary)


def show(rows: dict[str, Figures]) -> None:
    """Prints a row of figures for each step, with the speed relative to the first."""
    table = Table(box=None)
    for name in ("", "weights", "MB", "MB packed", "texts/s", "score"):
        table.add_column(name, justify="left" if not name else "right")
    first = next(iter(rows.values()))
    for name, figures in rows.items():
        faster = figures.texts_per_second / first.texts_per_second
        table.add_row(
            name,
            f"{figures.parameters / 1e6:.2f} M",
            f"{figures.megabytes:.1f}",
            f"{figures.packed_megabytes:.1f}",
            f"{figures.texts_per_second:.0f} ({faster:.2f}x)",
            f"{figures.metrics['score']:.4f}",
        )
    console.print(table)
