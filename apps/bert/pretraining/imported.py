"""Imports a checkpoint as a pretraining run, for embedding, fine-tuning and distillation."""

import dataclasses
from pathlib import Path

from apps.bert.checkpoint.checkpoint import Checkpoint
from apps.bert.checkpoint.tokenizer_files import make_tokenizer
from apps.bert.checkpoint.weights import load_encoder, load_pretraining_heads
from apps.bert.pretraining.app import PretrainApp
from apps.bert.pretraining.config import PretrainConfig
from apps.bert.start import write_vocabulary
from shared.common import config as configs
from shared.common.files import atomic_folder
from shared.engine.run import Run, save_model


def write_imported_run(
    app: PretrainApp, checkpoint: Checkpoint, output: Path, origin: dict[str, str]
) -> None:
    """Writes configuration, vocabulary and weights; heads that the checkpoint lacks are untrained.

    Sequences have two segments if the checkpoint has a next-sentence head.

    Args:
        app: the pretraining application.
        checkpoint: the checkpoint.
        output: a new run folder.
        origin: where it comes from, see `origin_of`.
    """
    values = {
        "name": output.name,
        "sequences.pairs": "next"
        if "cls.seq_relationship.weight" in checkpoint.tensors
        else "none",
    }
    usual = configs.to_dict(type(checkpoint.config)())
    values |= {
        f"encoder.{name}": value
        for name, value in configs.to_dict(checkpoint.config).items()
        if value != usual[name]
    }
    config = configs.resolve(PretrainConfig, values)
    with atomic_folder(output) as temporary:
        run = Run(config, temporary)
        run.artifacts = {
            "encoder": configs.to_dict(checkpoint.config),
            "vocabulary_size": len(checkpoint.vocabulary),
            **origin,
        }
        if checkpoint.sentence_vectors:
            vectors = dataclasses.asdict(checkpoint.sentence_vectors)
            run.artifacts["sentence_vectors"] = vectors
        configs.save(config, temporary / "config.yaml")
        run.save_artifacts()
        write_vocabulary(make_tokenizer(checkpoint), temporary)
        app.prepare(run)
        model = app.build(run)
        missing = load_encoder(checkpoint, model.encoder)
        missing += load_pretraining_heads(checkpoint, model.pretraining_heads)
        run.artifacts["untrained"] = missing
        run.save_artifacts()
        save_model(model, temporary / "model.keras")


def has_masked_lm(run: Run) -> bool:
    """Whether a run has a trained masked-LM head, which some checkpoints lack."""
    return "masked-LM head" not in run.artifacts.get("untrained", [])
