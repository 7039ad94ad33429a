"""How well a model predicts a text: perplexity, bits, and where it was surprised."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps.language.token_stream import TextSize
from apps.language.tokenizers.tokenizer import Tokenizer
from shared.common.files import write_text
from shared.engine.app import Evaluator
from shared.report.page import Page

# Tokens on the page of surprises, and bits from which on a token has the full colour.
SHOWN, MAX_BITS = 4000, 10.0
# A perplexity of more nats a word is no number that a reader compares.
MAX_NATS = 100.0
RULE = "-" * 72


class LanguageEvaluator(Evaluator):
    """Adds up the log-probabilities of all tokens of a text.

    Args:
        size: of the text.
        tokenizer: spells tokens for the page.
        write: gives sample texts, for `after_epoch`.
    """

    uses_inputs = True

    def __init__(self, size: TextSize, tokenizer: Tokenizer, write: Callable[[], list[str]]):
        self.size, self.tokenizer, self.write = size, tokenizer, write
        self._sum, self._tokens = 0.0, 0
        self._shown: list[tuple[np.ndarray, np.ndarray]] = []

    def update(self, batch: Any, outputs: dict[str, np.ndarray]) -> None:
        """Takes x["tokens"] (B, T + 1), x["counted"] and outputs["log_probabilities"] (B, T)."""
        counted = batch["counted"]
        tokens = batch["tokens"][:, 1:][counted]
        log_probabilities = outputs["log_probabilities"][counted].astype(np.float64)
        if self._tokens < SHOWN:
            self._shown.append((tokens, log_probabilities))
        self._sum += float(log_probabilities.sum())
        self._tokens += len(tokens)

    def result(self) -> dict[str, float]:
        """Loss in nats a token, perplexities, and bits that do not depend on the tokens."""
        nats = -self._sum
        loss = nats / self._tokens
        found = {"loss": loss, "perplexity": math.exp(min(loss, MAX_NATS))}
        if self.size.words and nats / self.size.words < MAX_NATS:
            found["word_perplexity"] = math.exp(nats / self.size.words)
        # Of an empty document there is nothing but its end.
        if self.size.characters:
            bits = nats / math.log(2)
            found["bits_per_character"] = bits / self.size.characters
            found["bits_per_byte"] = bits / self.size.bytes
        return found

    def after_epoch(self, folder: Path, epoch: int) -> None:
        """Writes what the model writes now into `samples/epoch-NNN.txt`."""
        text = f"\n{RULE}\n".join(self.write())
        write_text(folder / "samples" / f"epoch-{epoch:03d}.txt", f"{text}\n")

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes the page of surprises; returns how much text was read."""
        write_surprises(self._spelled(), folder / "samples" / "surprises.html")
        return {
            "tokens": self._tokens,
            "unknown_tokens": self.size.unknown,
            "characters": self.size.characters,
            "words": self.size.words,
        }

    def _spelled(self) -> list[tuple[str, float]]:
        """The first tokens as text, each with its surprise in bits."""
        tokens, logs = (np.concatenate(each)[:SHOWN] for each in zip(*self._shown, strict=True))
        return list(zip(self.tokenizer.spellings(tokens), -logs / math.log(2), strict=True))


def write_surprises(spelled: list[tuple[str, float]], path: Path) -> None:
    """Writes a page with the beginning of a text, coloured by the surprise of each token."""
    page = Page("Surprises")
    page.text(
        f"The beginning of the text, {len(spelled):,} tokens. The darker a token, the less "
        f"probable it was to the model: white is no surprise, full colour {MAX_BITS:.0f} bits "
        f"(a probability of 1 in {2**MAX_BITS:,.0f}) and more. Point at a token for its bits."
    )
    page.shaded(
        (text.replace("\n", "⏎\n"), min(bits / MAX_BITS, 1.0), f"{bits:.2f} bits")
        for text, bits in spelled
    )
    page.write(path)
