"""What `kerasuite bert augment` does."""

from pathlib import Path

import numpy as np
from rich.console import Console

from shared.engine.errors import KerasuiteError
from shared.engine.files import atomic_path
from shared.engine.quiet import import_tensorflow

console = Console(soft_wrap=True, highlight=False)


def augment_data(
    data: list[str],
    output: Path,
    *,
    masked_model: Path | None,
    vectors: Path | None,
    copies: int,
    candidates: int,
    probability: float,
    seed: int,
) -> None:
    """Writes the training sentences of `data`, and changed copies of each, as a TSV.

    Args:
        data, output: files or folders of sentences or pairs, and the TSV to write.
        masked_model: a pretrained run; vectors: word vectors as text. One of them at least.
        copies, candidates, probability: N_a, K and p_t of the TinyBERT paper.
        seed: of the random choices.

    Raises:
        KerasuiteError: if neither source of words is given, or the data are no sentences.
    """
    if masked_model is None and vectors is None:
        raise KerasuiteError(
            "augment: name --masked-model, --vectors or both: where words come from"
        )
    import_tensorflow()
    from apps.bert.distillation.augmentation import augmented, first_found
    from apps.bert.tasks.read import read_files
    from apps.bert.tasks.splits import training_files

    found = read_files(training_files(data))
    if found.kind not in ("classification", "pair", "regression"):
        raise KerasuiteError(
            f"{data[0]}: holds {found.kind}; only sentences and pairs are augmented"
        )
    sources = []
    if masked_model is not None:
        sources.append(_masked(masked_model, candidates))
    if vectors is not None:
        sources.append(_neighbors(vectors, candidates))
    paired = found.kind == "pair" or found.examples[0].text_pair is not None
    names = ["sentence1", "sentence2"] if paired else ["sentence"]
    generator, count = np.random.default_rng(seed), 0
    texts = (example.text for example in found.examples)
    changed = augmented(texts, first_found(*sources), copies, probability, generator)
    with atomic_path(output) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("\t".join([*names, "label"]) + "\n")
        for example, others in zip(found.examples, changed, strict=True):
            rest = [example.text_pair, str(example.label)] if paired else [str(example.label)]
            for text in (example.text, *others):
                file.write("\t".join(_cell(value) for value in (text, *rest)) + "\n")
                count += 1
    console.print(
        f"{len(found.examples):,} examples became {count:,} in {output}. Next:\n"
        f"  kerasuite bert distill {output} --validation {data[0]} --teacher RUN",
        markup=False,
    )


def _cell(value: str) -> str:
    return " ".join(value.split())


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
