"""Metrics of translations: BLEU, chrF and exact matches, by length, with samples."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from sacrebleu.metrics import BLEU, CHRF

from apps.translation.config import DecodingConfig
from apps.translation.length_plot import plot_by_length
from apps.translation.pairs.pair_files import SentencePairs
from apps.translation.prediction.long_lines import count_words
from shared.common.files import write_text
from shared.engine.app import Evaluator
from shared.report.page import Page
from shared.text.language_codes import main_language
from shared.text.line_files import clean_line
from shared.text.subword_tokenizer import SubwordTokenizer

# Source words (characters in Chinese) up to which the classes of sentence length go.
LENGTHS = (5, 10, 15, 20, 30, 40, 60)
SAMPLES_SHOWN, WORST_SHOWN = 50, 30
HEADER = ("where", "source", "reference", "translation", "chrf")


class TranslationEvaluator(Evaluator):
    """Collects translations and compares them with the references.

    The scores are sacreBLEU's ([Post, 2018](https://arxiv.org/abs/1804.08771)) of the text as it
    is: cased, detokenised, one reference.

    Args:
        tokenizer: of the target language.
        pairs: the validation data, to which the batches' `index` points.
        target_language: str, such as "de" or "zh-CN"; chooses sacreBLEU's tokenizer.
        decoding: the search that found the translations, for the report.
    """

    def __init__(
        self,
        tokenizer: SubwordTokenizer,
        pairs: SentencePairs,
        target_language: str,
        decoding: DecodingConfig,
    ):
        self.tokenizer, self.pairs = tokenizer, pairs
        self.target_language, self.decoding = target_language, decoding
        self._found: dict[int, str] = {}

    def update(self, batch: Any, outputs: dict[str, np.ndarray]) -> None:
        """Takes y["index"] (B,) and outputs["tokens"] (B, L)."""
        texts = self.tokenizer.detokenize(tf.constant(outputs["tokens"])).numpy()
        for index, text in zip(batch[1]["index"], texts, strict=True):
            self._found[int(index)] = text.decode("utf-8", "replace")

    def result(self) -> dict[str, float]:
        """BLEU and chrF (0 to 100), and the share of translations equal to the reference."""
        references, translations = self._references, self._translations
        same = [_normal(a) == _normal(b) for a, b in zip(references, translations, strict=True)]
        return {
            "bleu": _corpus_score(bleu_metric(self.target_language), translations, references),
            "chrf": _corpus_score(CHRF(), translations, references),
            "exact": float(np.mean(same)),
        }

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes a plot by length, a page of samples and all translations as a table."""
        by_length = self._by_length()
        plot_by_length(by_length, folder / "plots" / "by_length.png")
        rows = self._rows()
        write_table(rows, folder / "samples" / "translations.tsv")
        write_page(rows, folder / "samples" / "translations.html")
        metrics = {"bleu": bleu_metric(self.target_language), "chrf": CHRF()}
        return {
            **{f"{name}_signature": self._signature(each) for name, each in metrics.items()},
            "pairs": len(rows),
            "beam_size": self.decoding.beam_size,
            "length_penalty": self.decoding.length_penalty,
            "by_length": by_length,
        }

    # === Translations and references, in the order of the data ===

    @property
    def _order(self) -> list[int]:
        return sorted(self._found)

    @property
    def _translations(self) -> list[str]:
        return [self._found[index] for index in self._order]

    @property
    def _references(self) -> list[str]:
        return [self.pairs.target[index] for index in self._order]

    def _signature(self, metric: BLEU | CHRF) -> str:
        _corpus_score(metric, self._translations, self._references)
        return str(metric.get_signature())

    def _by_length(self) -> dict[str, dict[str, float]]:
        """Scores of the pairs whose sources have up to 5 words, 6 to 10 and so on."""
        members: dict[int, list[int]] = {}
        for index in self._order:
            number = int(np.searchsorted(LENGTHS, count_words(self.pairs.source[index])))
            members.setdefault(number, []).append(index)
        bleu, chrf = bleu_metric(self.target_language), CHRF()
        table = {}
        for number in sorted(members):
            translations = [self._found[index] for index in members[number]]
            references = [self.pairs.target[index] for index in members[number]]
            table[_class_name(number)] = {
                "pairs": len(references),
                "bleu": _corpus_score(bleu, translations, references),
                "chrf": _corpus_score(chrf, translations, references),
            }
        return table

    def _rows(self) -> list[tuple[str, str, str, str, float]]:
        """A row with the columns of HEADER for each pair."""
        chrf, pairs = CHRF(), self.pairs
        return [
            (
                pairs.where[index],
                pairs.source[index],
                pairs.target[index],
                self._found[index],
                chrf.sentence_score(self._found[index], [pairs.target[index]]).score,
            )
            for index in self._order
        ]


def bleu_metric(language: str) -> BLEU:
    """BLEU with the tokenizer that papers use for a language: 13a, for Chinese characters.

    Japanese and Korean are cut into words where sacreBLEU's extras for them are installed, and
    into characters otherwise; the signature says which.
    """
    language = main_language(language)
    tokenize = "zh" if language in ("zh", "yue", "wuu") else "13a"
    if language in ("ja", "ko"):
        tokenize = f"{language}-mecab"
    # "force": no warning of text that looks tokenised; a bad model's output may.
    try:
        return BLEU(tokenize=tokenize, force=True)
    except (RuntimeError, ImportError):
        return BLEU(tokenize="char", force=True)


def write_table(rows: Sequence[tuple], path: Path) -> None:
    """All translations as tab-separated values, one pair a line."""
    lines = ["\t".join(HEADER)]
    for *texts, score in rows:
        lines.append("\t".join([*map(clean_line, texts), f"{score:.2f}"]))
    write_text(path, "\n".join(lines) + "\n")


def write_page(rows: Sequence[tuple], path: Path) -> None:
    """A page of translations from all over the data, and of those least like their references."""
    page, header = Page("Translations"), [*HEADER[1:-1], "chrF"]
    page.text(
        f"{len(rows):,} sentences were translated. chrF compares the characters of a translation "
        "with those of its reference; 100 is the same text. All are in translations.tsv."
    )
    page.heading("Samples")
    step = max(1, len(rows) // SAMPLES_SHOWN)
    page.table(map(_shown, rows[::step][:SAMPLES_SHOWN]), header)
    if len(rows) > SAMPLES_SHOWN:
        page.heading("Least like the reference")
        worst = sorted(rows, key=lambda row: row[-1])[:WORST_SHOWN]
        page.table(map(_shown, worst), header)
    page.write(path)


def _shown(row: tuple) -> list:
    return [*row[1:-1], round(row[-1], 1)]


def _corpus_score(metric: BLEU | CHRF, translations: list[str], references: list[str]) -> float:
    return float(metric.corpus_score(translations, [references]).score)


def _class_name(number: int) -> str:
    if number == 0:
        return f"up to {LENGTHS[0]}"
    first = LENGTHS[number - 1] + 1
    return f"{first}-{LENGTHS[number]}" if number < len(LENGTHS) else f"{first} and more"


def _normal(text: str) -> str:
    """A text in composed characters and with single spaces: equal where texts look equal."""
    return " ".join(unicodedata.normalize("NFC", text).split())
