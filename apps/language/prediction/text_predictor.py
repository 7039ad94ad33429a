"""Batch inference: each line or each file is a prompt, which the model continues."""

import dataclasses
import gzip
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.language.config import LanguageConfig
from apps.language.prediction.writing import Writing
from shared.common import config as configs
from shared.engine.prediction.predictor import Predictor
from shared.engine.saved_model.loaded_model import LoadedModel
from shared.engine.saved_model.saved_models import EXTRA
from shared.engine.saved_model.signatures import call_signature
from shared.text.line_files import count_lines, is_gzip, is_utf8, raw_line, split_lines
from shared.text.text_files import decoded


class Written(NamedTuple):
    """The texts written behind one prompt, and how much of it was read.

    Attributes:
        texts: (text, score) of each draw, or best first.
        tokens, read, unknown: int. Of the prompt, see `LanguageServing.count_tokens`.
    """

    texts: list[tuple[str, float]]
    tokens: int
    read: int
    unknown: int


class TextPredictor(Predictor):
    """Continues the lines of text files, or whole files.

    A whole file `a/b.txt` is also written with its continuation, as `texts/a/b.txt`; of several
    continuations the first.

    Args:
        writing: how texts are written.
        whole_files: bool. Takes each file as one prompt, and not each line of it.
    """

    inputs = ("prompt",)

    def __init__(self, writing: Writing, whole_files: bool = False):
        self.writing, self.whole_files = writing, whole_files
        self._configured = writing
        self.signature = writing.signature
        self.unit = "file" if whole_files else "line"

    def settings(self):
        settings = dataclasses.asdict(self.writing) | {"whole_files": self.whole_files}
        return settings | {"stop": list(self.writing.stop)}

    def start(self, model):
        """Takes options that were not given from the export."""
        config = configs.load(LanguageConfig, model.path / EXTRA / "config.yaml")
        self._configured = self.writing.configured(config.writing)

    # === Prompts ===

    def split(self, source):
        return (source,) if self.whole_files else split_lines(source)

    def count(self, source):
        return 1 if self.whole_files else count_lines(source)

    def read(self, source):
        prompt = read_whole(source) if self.whole_files else raw_line(source)
        return {"prompt": prompt.encode("utf-8", "replace")}

    def size(self, example):
        return len(example["prompt"])

    # === Texts ===

    def call(self, model, examples):
        return [{"written": each} for each in self.write(model, [e["prompt"] for e in examples])]

    def write(self, model: LoadedModel, prompts: Sequence[bytes]) -> list[Written]:
        """The texts behind each of some prompts, once `start` was called."""
        writing, count = self._configured, len(prompts)
        counts = call_signature(
            model, "count_tokens", prompt=list(prompts), max_tokens=writing.max_tokens
        )
        inputs = writing.inputs()
        if writing.is_search:
            found = call_signature(model, "search", prompt=list(prompts), **inputs)
            texts, scores = found["texts"], found["scores"]
        else:
            seeds = np.arange(writing.samples) + writing.first_seed
            found = call_signature(
                model,
                "write",
                prompt=[prompt for prompt in prompts for _ in seeds],
                seed=np.tile(seeds, count),
                **inputs,
            )
            texts, scores = (found[name].reshape(count, -1) for name in ("text", "score"))
        return [
            Written(
                [(text.decode("utf-8", "replace"), float(score)) for text, score in pairs],
                *(int(counts[name][row]) for name in ("tokens", "read", "unknown")),
            )
            for row, pairs in enumerate(map(zip, texts, scores))
        ]

    def record(self, source, outputs):
        written: Written = outputs["written"]
        texts = [{"text": text, "score": round(score, 6)} for text, score in written.texts]
        record: dict[str, Any] = {**texts[0], "notes": notes(written)}
        if source.content is not None and not is_utf8(source.content):
            record["notes"].append("invalid UTF-8 was replaced")
        if len(texts) > 1:
            record["texts"] = texts
        return record

    def files(self, source, outputs):
        if not self.whole_files:
            return {}
        text = read_whole(source) + outputs["written"].texts[0][0]
        name = source.name[: -len(".gz")] if is_gzip(source.name) else source.name
        return {f"texts/{name}": text.encode("utf-8", "replace")}


def read_whole(source) -> str:
    """The text of a file, also of a .gz.

    Raises:
        KerasuiteError: if it is damaged or no text.
    """
    content = source.read_bytes()
    stream = io.BytesIO(content)
    with gzip.open(stream) if is_gzip(source.name) else stream as opened:
        return "".join(text for text, _ in decoded(source.name, opened)).replace("\r\n", "\n")


def notes(written: Written) -> list[str]:
    """Remarks on a prompt: tokens that were not read or are unknown."""
    found = []
    if written.read < written.tokens:
        found.append(f"only the last {written.read:,} of {written.tokens:,} tokens were read")
    if written.unknown:
        found.append(f"{written.unknown:,} token(s) are not in the vocabulary")
    return found
