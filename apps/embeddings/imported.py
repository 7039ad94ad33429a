"""Implementation of `kerasuite embed import`: a file of vectors becomes a run."""

from pathlib import Path

import numpy as np

from apps.embeddings import data
from apps.embeddings.config import IMPORTED, EmbedConfig
from apps.embeddings.corpus.vocabulary import Vocabulary
from apps.embeddings.corpus.words import normalize
from apps.embeddings.vectors.vector_files import read_vectors
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common import config as configs
from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder
from shared.common.messages import warn
from shared.engine.load_app import load_app
from shared.engine.run import Run, save_model


def import_vectors(app_path: str, source: Path, output: Path, language: str, pattern: str) -> None:
    """Imports a file of word vectors as a run folder.

    Args:
        app_path: import path of the application.
        source: a file that `read_vectors` reads.
        output: a new folder.
        language, pattern: how texts are split into words, see `word_splitter`.

    Raises:
        KerasuiteError: if the file cannot be used, or the folder exists.
    """
    if output.exists():
        raise KerasuiteError(f"{output}: exists already; choose a new --output")
    vectors = _words_of_a_line(source, read_vectors(source))
    _write_run(load_app(app_path), vectors, source, output, language, pattern)
    capitals = sum(normalize(word) != word for word in vectors.words)
    if capitals:
        warn(
            f"{source}: {capitals:,} words have capitals or characters of other forms; `predict` "
            f"and `search` make all words lower-case and do not find them, `neighbors` does"
        )
    console.print(
        f"{source}: {len(vectors):,} words, {vectors.dim} numbers each. A file says nothing of how "
        f"often words occur: for `--weighting sif` Zipf's law is assumed, in the file's order.\n"
        f"It is in {output}. Next:\n"
        f"  kerasuite embed neighbors {output} WORD\n"
        f"  kerasuite embed evaluate {output}\n"
        f"  kerasuite embed export {output}",
        markup=False,
    )


def _words_of_a_line(source: Path, vectors: WordVectors) -> WordVectors:
    """Without words that have line ends or are blank, which no text has."""
    kept = [index for index, word in enumerate(vectors.words) if word.split("\n") == [word.strip()]]
    kept = [index for index in kept if vectors.words[index]]
    if left := len(vectors) - len(kept):
        warn(f"{source}: {left:,} words are blank or begin or end with white space; left out")
    if len(kept) < 2:
        raise KerasuiteError(f"{source}: has {len(kept)} usable words, at least two are needed")
    return WordVectors([vectors.words[index] for index in kept], vectors.vectors[kept])


def _write_run(
    app, vectors: WordVectors, source: Path, output: Path, language: str, pattern: str
) -> None:
    values = {
        "name": output.name,
        "corpus.language": language,
        "corpus.pattern": pattern,
        "model.algorithm": IMPORTED,
        "model.dim": vectors.dim,
    }
    config = configs.resolve(EmbedConfig, values)
    ranks = np.arange(1, len(vectors) + 1)
    with atomic_folder(output) as temporary:
        run = Run(config, temporary)
        run.artifacts = {"words": len(vectors), "imported_from": str(source)}
        configs.save(config, temporary / "config.yaml")
        run.save_artifacts()
        Vocabulary(vectors.words, -(-len(vectors) // ranks)).save(temporary / data.VOCABULARY)
        app.prepare(run)
        model = app.build(run)
        model.table.assign(vectors.vectors)
        save_model(model, temporary / "model.keras")
