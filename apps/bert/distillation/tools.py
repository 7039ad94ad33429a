"""Implementation of `kerasuite bert augment`."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.common import config as configs
from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path
from shared.common.quiet import import_tensorflow

if TYPE_CHECKING:
    from apps.bert.tasks.examples import Examples


def augment_data(
    data: list[str],
    output: Path,
    masked_model: Path | None,
    vectors: Path | None,
    copies: int,
    candidates: int,
    probability: float,
    seed: int,
    overrides: dict[str, Any] | None = None,
) -> None:
    """Writes the training sentences of `data`, and changed copies of each, as a TSV.

    Args:
        data: files or folders of sentences or pairs.
        output: the TSV to write.
        masked_model: a pretrained run, or None.
        vectors: word vectors as text, or None; one of both is needed.
        copies, candidates, probability: N_a, K and p_t of the TinyBERT paper.
        seed: seed of the random choices.
        overrides: leaves of `FinetuneConfig` that say how the data are read.

    Raises:
        KerasuiteError: if neither source of words is given, or the data are no sentences.
    """
    if masked_model is None and vectors is None:
        raise KerasuiteError("augment: no source of words; give --masked-model, --vectors or both")
    import_tensorflow()
    from apps.bert.distillation.augmentation import first_found
    from apps.bert.finetuning.config import FinetuneConfig
    from apps.bert.finetuning.data import report
    from apps.bert.tasks.read import read_files
    from apps.bert.tasks.splits import training_files, validation_files
    from shared.text.tables.label_sets import LabelCells

    options = configs.resolve(FinetuneConfig, overrides).task_data
    label_cells = LabelCells(options.kind)
    found = read_files(training_files(data), options.task_type, options.columns, label_cells)
    if found.task_type not in ("classification", "pair", "regression"):
        raise KerasuiteError(
            f"{data[0]}: holds {found.task_type}; only sentences and pairs with one label are "
            f"augmented"
        )
    report(found)
    sources = []
    if masked_model is not None:
        sources.append(_masked(masked_model, candidates))
    if vectors is not None:
        sources.append(_neighbors(vectors, candidates))
    generator = np.random.default_rng(seed)
    changes = first_found(*sources), copies, probability, generator
    count = 0
    with atomic_path(output) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for row in augmented_rows(found, *changes):
            file.write("\t".join(" ".join(cell.split()) for cell in row) + "\n")
            count += 1
    held_out = [str(path) for path in validation_files(data, [])] or ["DEV"]
    kind = "" if options.task_type == "auto" else f" --task-type {options.task_type}"
    console.print(
        f"{len(found.examples):,} examples became {count - 1:,} in {output}. Next:\n"
        f"  kerasuite bert distill {output} --validation {held_out[0]}{kind} --teacher RUN",
        markup=False,
    )


def augmented_rows(found: "Examples", *changes) -> Iterator[tuple[str, ...]]:
    """The header of a table, and below it each example and its changed copies.

    Both texts of a pair change; the text with fewer copies is repeated unchanged.

    Args:
        found: sentences or pairs.
        changes: `candidates`, `copies`, `probability` and `generator` of `augmented`.
    """
    from apps.bert.distillation.augmentation import augmented

    paired = found.examples[0].text_pair is not None
    label = "score" if found.task_type == "regression" else "label"
    yield ("sentence1", "sentence2", label) if paired else ("sentence", label)
    for example in found.examples:
        texts = (example.text, example.text_pair) if paired else (example.text,)
        copies = augmented(texts, *changes)
        yield (*texts, str(example.label))
        for changed in zip_longest(*copies):
            new = (one or old for one, old in zip(changed, texts, strict=True))
            yield (*new, str(example.label))


def _masked(folder: Path, count: int):
    from apps.bert.distillation.augmentation import MaskedCandidates
    from apps.bert.pretraining.app import PretrainApp
    from apps.bert.pretraining.imported import has_masked_lm
    from shared.engine.run import load_best, open_run

    app = PretrainApp()
    run = open_run(app, folder)
    if not has_masked_lm(run):
        raise KerasuiteError(
            f"--masked-model {folder}: its checkpoint has no masked-LM head; give a run of "
            f"'kerasuite bert pretrain' or a checkpoint that has one"
        )
    return MaskedCandidates(load_best(app, run), app.tokenizer, count)


def _neighbors(path: Path, count: int):
    from gensim.models import KeyedVectors

    from apps.bert.distillation.augmentation import NeighborCandidates

    if not path.is_file():
        raise KerasuiteError(f"--vectors {path}: no such file; give word2vec or GloVe text")
    with open(path, encoding="utf-8", errors="replace") as file:
        first = file.readline().split()
    # The word2vec format begins with the number of words and of dimensions, GloVe's with a word.
    has_header = len(first) == 2 and all(part.isdigit() for part in first)
    try:
        vectors = KeyedVectors.load_word2vec_format(str(path), no_header=not has_header)
    except (ValueError, EOFError) as error:
        raise KerasuiteError(
            f"--vectors {path}: is no text file of word vectors ({error})"
        ) from error
    return NeighborCandidates(vectors, count)
