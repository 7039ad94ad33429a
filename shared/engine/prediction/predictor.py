"""The contract between batch inference and an application: sources in, records out.

`predict.predict` reads sources on threads, calls the SavedModel in batches and writes results;
a `Predictor` says how one source becomes the model's inputs and one row of outputs a record:

    images to records       read, record
    images to images        read, record ({} will do), files
    text to text, by lines  split, read, record, finish
    large images by tiles   read, call (which loops over the tiles), files
"""

import abc
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.common.inputs import Source

if TYPE_CHECKING:
    from shared.engine.saved_model.loaded_model import LoadedModel
    from shared.report.page import MarkedText, Picture

Example = dict[str, np.ndarray | bytes | str]
Outputs = dict[str, np.ndarray]


class Predictor(abc.ABC):
    """Reads the inputs of one application and reports its outputs.

    `read`, `size`, `record` and `files` are called from several threads at once. A
    `KerasuiteError` or `OSError` in them rejects this source only; any other exception is a fault
    of the program and ends the run.

    Attributes:
        suffixes: which files of a folder are inputs; empty takes all.
        unit: what one source is called in the progress bar.
        signature: name of the SavedModel's signature.
        inputs, outputs: names that this signature must have; checked before the first batch.
        bucket: int. Batches that are read together and put in order of `size`.
    """

    suffixes: tuple[str, ...] = ()
    unit = "file"
    signature = "serving_default"
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    bucket = 8

    def settings(self) -> dict[str, Any]:
        """The options that change results, as JSON; a resume with others is refused."""
        return {}

    def start(self, model: "LoadedModel") -> None:
        """Called once with the loaded model, for what is read from it (labels, scale)."""
        return None

    def split(self, source: Source) -> Iterable[Source]:
        """Splits a file into sources of their own, one for each line, in file order.

        Each is `dataclasses.replace(source, line=number, content=...)`, numbers rising from 1.
        A `KerasuiteError` rejects the file as a whole, after the lines given so far.
        """
        return (source,)

    def count(self, source: Source) -> int:
        """Number of sources that `split` will give, found cheaply, for the progress bar."""
        return 1

    @abc.abstractmethod
    def read(self, source: Source) -> Example:
        """The model's inputs for one source, without the batch axis."""

    def size(self, example: Example) -> int:
        """The size of an example (tokens, pixels). If overridden, similar sizes share a batch."""
        return 0

    def call(self, model: "LoadedModel", examples: Sequence[Example]) -> Sequence[Outputs]:
        """Applies the model to a batch; the results in the same order.

        If it fails, it is called again with halves of the batch to find the bad example.
        """
        return model(examples)

    @abc.abstractmethod
    def record(self, source: Source, outputs: Outputs) -> dict[str, Any]:
        """The fields of this source in predictions.jsonl, beside "file" (and "line")."""

    def csv_row(self, row: dict[str, Any]) -> dict[str, Any]:
        """The columns of a row of predictions.jsonl in predictions.csv; lists become JSON."""
        return row

    def files(self, source: Source, outputs: Outputs) -> Mapping[str, bytes]:
        """Further results: path relative to the output folder, to content.

        They exist before the record is written. Paths of different sources must differ.
        """
        return {}

    def finish(
        self, source: Source, rows: Iterable[dict[str, Any]]
    ) -> Mapping[str, Iterable[bytes]]:
        """Files made of all lines of one split source: relative path to chunks of content.

        Args:
            source: the file that was split.
            rows: its records and errors (with the key "error"), in order of "line". Read from
                disk at each iteration, so that no file has to fit into memory.
        """
        return {}

    def pictures(self, row: dict[str, Any], source: Source, folder: Path) -> "list[Picture]":
        """Pictures of a result, each with a caption, for the page of the first results.

        If overridden, the run ends with this page. A `KerasuiteError` or `OSError`, for an input
        that is no longer there, leaves the result out of it.

        Args:
            row: of predictions.jsonl.
            source: what it was made from.
            folder: the output folder, which holds the files of `files`.
        """
        return []

    def marked_text(self, row: dict[str, Any], source: Source) -> "MarkedText":
        """A result as spans of its text, for the page of the first results; see `pictures`.

        Args:
            row: of predictions.jsonl.
            source: what it was made from, as `split` gives it.
        """
        raise NotImplementedError

    def summary(self, rows: Iterable[dict[str, Any]]) -> Mapping[str, Iterable[bytes]]:
        """Files made of all lines of a finished run: relative path to chunks of content.

        Args:
            rows: as for `finish`; of several shards, once they are put together.
        """
        return {}

    def left_out(self, inputs: Sequence[str]) -> list[str]:
        """Lines on the files below INPUT that look like inputs and are not read."""
        return []

    def remarks(self) -> list[str]:
        """Lines on what was changed in the inputs that this run read, said at its end."""
        return []

    @classmethod
    def overrides(cls, method: str) -> bool:
        """Whether the application has its own version of an optional method."""
        return getattr(cls, method) is not getattr(Predictor, method)
