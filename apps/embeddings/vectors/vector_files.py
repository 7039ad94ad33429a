"""Files of word vectors: word2vec text and binary, GloVe text, TensorBoard projector, fastText."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from apps.embeddings.vectors.fasttext_file import MAGIC, read_fasttext
from apps.embeddings.vectors.vector_streams import open_vectors
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path
from shared.common.messages import warn

FORMATS = ("word2vec", "word2vec-binary", "glove", "projector")
VECTORS, METADATA = "vectors.tsv", "metadata.tsv"
ROWS, SNIFFED_ROWS = 2_000, 100
MAX_ROW_BYTES = 1 << 20
MAX_VECTOR_BYTES = 1 << 20
FLOAT = np.dtype("<f4")
MAX_FLOAT = float(np.finfo(FLOAT).max)


def read_vectors(path: str | os.PathLike) -> WordVectors:
    """Reads word vectors; the format is recognised by the content.

    Of a word that occurs twice the first vector is kept, with a warning. Rows are read as they are,
    also where the first line promises others, with a warning.

    Args:
        path: a file, also packed (see `open_vectors`), or a projector's folder or its vectors.tsv.

    Returns:
        The vectors; those of fastText know unknown words as well.

    Raises:
        KerasuiteError: if it is no file of vectors, or a row is malformed; names file and row.
    """
    path = Path(path)
    if path.is_dir():
        path = path / VECTORS
    if not path.is_file():
        raise KerasuiteError(f"{path}: no such file; give a file of word vectors")
    if path.suffix == ".tsv" and not _begins_with_word(path):
        return _without_repeats(path, *_read_projector(path))
    with open_vectors(path) as file:
        if file.peek(len(MAGIC)).startswith(MAGIC):
            return read_fasttext(path, file)
        head = file.readline(MAX_ROW_BYTES)
        size = _header(head)
        if size is None:
            return _without_repeats(path, *_read_text(path, _chain([head], file), 0, first_row=1))
        count, dim = size
        first = file.readline(MAX_ROW_BYTES)
        if _is_binary(first, dim):
            words, vectors = _read_binary(path, file, first, count, dim)
        else:
            words, vectors = _read_text(path, _chain([first], file), dim, first_row=2)
    if words and len(words) != count:
        warn(
            f"{path}: has {len(words):,} vectors, but its first line promises {count:,}; all that "
            f"are there are read; if the file was cut off, fetch it again"
        )
    return _without_repeats(path, words, vectors)


def _begins_with_word(path: Path) -> bool:
    """Whether the rows of a .tsv begin with words, below a header or not."""
    with open_vectors(path) as file:
        first, second = file.readline(MAX_ROW_BYTES), file.readline(MAX_ROW_BYTES)
    row = second if _header(first) and second else first
    return not _number(row.split(b"\t")[0])


def _chain(first: list[bytes], file: BinaryIO) -> Iterator[bytes]:
    yield from first
    yield from file


def _header(line: bytes) -> tuple[int, int] | None:
    """The number and the dimension of the vectors in word2vec's first line."""
    fields = line.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return None
    # Python converts no numbers of thousands of digits, and none of these is true.
    count, dim = (int(field) if len(field) < 19 else 10**18 for field in fields)
    return (count, dim) if dim else None


def _is_binary(row: bytes, dim: int) -> bool:
    """Whether the first row is none of text: valid UTF-8 with numbers behind its word."""
    try:
        fields = row.decode("utf-8").split()[1:]
        for field in fields:
            float(field)
    except ValueError:
        # A text file with one bad number: its other fields are printable all the same.
        return any(byte < 9 or byte > 127 for byte in row.replace(b"\t", b" ").partition(b" ")[2])
    return bool(row) and not fields


def _plain(line: bytes) -> bytes:
    """A row whose fields are parted by one space, whatever it has."""
    line = line.rstrip(b" \t\r\n")
    if b"\t" in line:
        line = line.replace(b"\t", b" ")
    return re.sub(b" {2,}", b" ", line) if b"  " in line else line


def _dimension(path: Path, rows: list[bytes], promised: int) -> int:
    """The dimension that most of the first rows have: words with spaces make some look longer."""
    counts = Counter(row.count(b" ") for row in rows if row)
    dim = counts.most_common(1)[0][0] if counts else 0
    if dim < 1:
        raise KerasuiteError(
            f"{path}: holds no word vectors; expected word2vec text or binary, GloVe text, a "
            f"fastText .bin, or {VECTORS} with {METADATA}"
        )
    if promised and counts[promised] * 2 < len(rows):
        warn(
            f"{path}: its vectors have {dim:,} numbers, but its first line promises {promised:,}; "
            f"the rows are read as they are"
        )
        return dim
    return promised or dim


def _read_text(
    path: Path, lines: Iterator[bytes], promised: int, first_row: int
) -> tuple[list[str], np.ndarray]:
    words: list[str] = []
    blocks: list[np.ndarray] = []
    dim = 0
    while block := [_plain(line) for line in islice(lines, ROWS)]:
        row = first_row + len(words)
        dim = dim or _dimension(path, block[:SNIFFED_ROWS], promised)
        parts = [line.rsplit(b" ", dim) for line in block]
        for offset, fields in enumerate(parts):
            if len(fields) != dim + 1 or _has_number(fields[0]):
                raise KerasuiteError(
                    f"{path}, row {row + offset}: {block[offset].count(b' ')} numbers instead of "
                    f"{dim}; correct or remove the row"
                )
        words += [fields[0].decode("utf-8", "replace") for fields in parts]
        blocks.append(_numbers(path, [fields[1:] for fields in parts], row))
    return words, np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


def _has_number(word: bytes) -> bool:
    """Whether a word ends in a number of its row, as "dog 1" does; "$ 1" is one of GloVe's."""
    before, _, last = word.rpartition(b" ")
    return _number(last) and any(map(str.isalnum, before.decode("utf-8", "replace")))


def _number(text: bytes) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(path: Path, rows: list[list[bytes]], first_row: int) -> np.ndarray:
    """Converts a block at once, and looks row by row only for the number that is malformed."""
    try:
        with np.errstate(over="ignore"):
            vectors = np.array(rows, dtype=bytes).astype(np.float32)
    except ValueError:
        vectors = np.full((len(rows), 1), np.nan)
    if np.isfinite(vectors).all():
        return vectors
    for row, fields in enumerate(rows, start=first_row):
        for field in fields:
            if not _number(field) or not abs(float(field)) <= MAX_FLOAT:
                raise KerasuiteError(
                    f"{path}, row {row}: '{field.decode('utf-8', 'replace')}' is not a finite "
                    f"number; correct or remove the row"
                )
    return vectors


def _read_binary(
    path: Path, file: BinaryIO, data: bytes, count: int, dim: int
) -> tuple[list[str], np.ndarray]:
    """The words and vectors of word2vec's binary format; `data` is what was read of `file`."""
    size = dim * FLOAT.itemsize
    if size > MAX_VECTOR_BYTES:
        raise KerasuiteError(
            f"{path}: its first line promises vectors of {dim:,} numbers; the file is damaged: "
            f"fetch it again"
        )
    words: list[str] = []
    blocks: list[np.ndarray] = []
    ended = False
    while not ended:
        more = file.read(max(1 << 20, size))
        data, ended = data + more, not more
        start, numbers = 0, []
        while (space := data.find(b" ", start)) >= 0 and space + 1 + size <= len(data):
            # The C program ends each vector with a line end, gensim does not.
            words.append(data[start:space].lstrip(b"\n").decode("utf-8", "replace"))
            numbers.append(data[space + 1 : space + 1 + size])
            start = space + 1 + size
        data = data[start:]
        if len(data) > size + MAX_ROW_BYTES:
            raise KerasuiteError(f"{path}: vector {len(words) + 1:,} has no word; fetch it again")
        blocks.append(np.frombuffer(b"".join(numbers), FLOAT).reshape(-1, dim))
    if data.strip(b"\n"):
        raise KerasuiteError(
            f"{path}: ends in vector {len(words) + 1:,} of {count:,}; the file is cut off: "
            f"fetch it again"
        )
    vectors = np.concatenate(blocks)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise KerasuiteError(
            f"{path}, vector {bad[0] + 1}: the vector of '{words[bad[0]]}' has a number that is "
            f"not finite; write the file again"
        )
    return words, vectors


def _read_projector(path: Path) -> tuple[list[str], np.ndarray]:
    labels = path.with_name(path.name.replace("vectors", "metadata"))
    if labels == path or not labels.is_file():
        raise KerasuiteError(
            f"{path}: the words should be in {METADATA} in the same folder; rename the files"
        )
    with open(labels, encoding="utf-8", newline="\n") as file:
        words = [line.rstrip("\r\n") for line in file]
    # Only a table with several columns has a line of titles.
    if words and "\t" in words[0]:
        words = [line.split("\t")[0] for line in words[1:]]
    blocks: list[np.ndarray] = []
    row = 1
    with open(path, "rb") as file:
        while block := [line.strip().split(b"\t") for line in islice(file, ROWS)]:
            dim = blocks[0].shape[1] if blocks else len(block[0])
            for offset, fields in enumerate(block):
                if len(fields) != dim:
                    raise KerasuiteError(
                        f"{path}, row {row + offset}: {len(fields)} numbers instead of {dim}; "
                        f"correct the row"
                    )
            blocks.append(_numbers(path, block, row))
            row += len(block)
    if row - 1 != len(words):
        raise KerasuiteError(
            f"{path}: {row - 1:,} vectors, but {len(words):,} words in {labels.name}; "
            f"write both files again"
        )
    return words, np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


def _without_repeats(path: Path, words: list[str], vectors: np.ndarray) -> WordVectors:
    if not words:
        raise KerasuiteError(f"{path}: holds no word vectors; give another file")
    first = {word: index for index, word in reversed(list(enumerate(words)))}
    if len(first) == len(words):
        return WordVectors(words, vectors)
    kept = sorted(first.values())
    repeated = next(word for index, word in enumerate(words) if first[word] != index)
    warn(
        f"{path}: {len(words) - len(kept)} words occur more than once, such as '{repeated}'; "
        f"the first vector of each is kept"
    )
    return WordVectors([words[index] for index in kept], vectors[kept])


def write_vectors(vectors: WordVectors, path: str | os.PathLike, format: str = "word2vec") -> None:
    """Writes word vectors; numbers read back are equal in every bit.

    Args:
        vectors: words and vectors.
        path: file to write; for the projector a folder, which gets vectors.tsv and metadata.tsv.
        format: str. One of `FORMATS`.

    Raises:
        KerasuiteError: for an unknown format, or a word that the format cannot hold.
    """
    if format not in FORMATS:
        raise KerasuiteError(f"--format {format}: unknown; one of {', '.join(FORMATS)}")
    _check_words(vectors.words, format)
    path = Path(path)
    if format == "projector":
        with atomic_path(path / METADATA) as temporary, open(temporary, "w", encoding="utf-8") as o:
            o.writelines(f"{word}\n" for word in vectors.words)
        path = path / VECTORS
    with atomic_path(path) as temporary, open(temporary, "wb") as out:
        if format.startswith("word2vec"):
            out.write(f"{len(vectors)} {vectors.dim}\n".encode())
        rows = _binary_rows if format == "word2vec-binary" else _text_rows
        out.writelines(rows(vectors, format))


def _check_words(words: list[str], format: str) -> None:
    forbidden = {"word2vec": " \n", "word2vec-binary": " \n", "glove": "\n", "projector": "\t\n"}
    for row, word in enumerate(words, start=1):
        if not word or any(character in word for character in forbidden[format]):
            raise KerasuiteError(
                f"word {row} is {word!r}, which the format {format} cannot hold; "
                f"choose another --format (glove allows spaces) or rename the word"
            )


def _binary_rows(vectors: WordVectors, format: str) -> Iterator[bytes]:
    for word, vector in zip(vectors.words, vectors.vectors.astype(FLOAT), strict=True):
        yield word.encode() + b" " + vector.tobytes() + b"\n"


def _text_rows(vectors: WordVectors, format: str) -> Iterator[bytes]:
    separator = "\t" if format == "projector" else " "
    for word, vector in zip(vectors.words, vectors.vectors, strict=True):
        numbers = separator.join(map(str, vector))
        yield (numbers if format == "projector" else f"{word} {numbers}").encode() + b"\n"
