"""Cleaning of training pairs, and a report of the pairs that were left out and why.

Only training pairs are cleaned: the figures of an evaluation are about all of its lines.
"""

import dataclasses
from typing import Any

import numpy as np

from apps.translation.config import PairsConfig
from apps.translation.pairs.pair_files import same_form
from apps.translation.pairs.sentence_pairs import SentencePairs
from shared.common.errors import KerasuiteError

EMPTY, LONG, RATIO, DUPLICATE = "empty side", "too long", "length ratio", "duplicate"
REASONS = (EMPTY, LONG, RATIO, DUPLICATE)
EXAMPLES = 5


@dataclasses.dataclass(frozen=True)
class CleanedPairs:
    """The pairs that are kept, and a report of the others.

    Attributes:
        pairs: the pairs that are kept, in their order.
        kept: int64 (K,). Their indices among all pairs.
        report: {"pairs": all, "kept": K, "left_out": {reason: {"pairs": count, "first": lines}},
            "limits": {...}}, for a JSON file.
    """

    pairs: SentencePairs
    kept: np.ndarray
    report: dict[str, Any]

    def summary(self) -> str:
        """One line about the pairs that were left out; "" if none was."""
        return summary(self.report)


def clean_pairs(
    pairs: SentencePairs,
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    options: PairsConfig,
) -> CleanedPairs:
    """Leaves out pairs with an empty side, over-long ones, unlikely lengths and repetitions.

    Args:
        pairs: N pairs.
        source_lengths, target_lengths: int (N,). Tokens, without `<s>` and `</s>`.
        options: `max_tokens`, `max_ratio` and `keep_duplicates`.

    Raises:
        KerasuiteError: if no pair is left.
    """
    reasons = find_reasons(pairs, source_lengths, target_lengths, options)
    kept = np.flatnonzero(reasons == "")
    report = report_of(pairs, reasons, options)
    if not len(kept):
        raise KerasuiteError(
            f"{summary(report)}: none is left; check that the files belong together, or set "
            f"--max-tokens and --max-ratio higher"
        )
    return CleanedPairs(pairs.take(kept.tolist()), kept, report)


def find_reasons(
    pairs: SentencePairs,
    source_lengths: np.ndarray,
    target_lengths: np.ndarray,
    options: PairsConfig,
) -> np.ndarray:
    """Why each pair is left out: str (N,), the first of `REASONS` that holds, or ""."""
    longer = np.maximum(source_lengths, target_lengths)
    shorter = np.minimum(source_lengths, target_lengths)
    reasons = np.select(
        [shorter == 0, longer > options.max_tokens, longer > options.max_ratio * shorter],
        [EMPTY, LONG, RATIO],
        default="",
    ).astype(object)
    if options.keep_duplicates:
        return reasons
    seen = set()
    for index in np.flatnonzero(reasons == ""):
        pair = same_form(pairs.source[index]), same_form(pairs.target[index])
        if pair in seen:
            reasons[index] = DUPLICATE
        seen.add(pair)
    return reasons


def report_of(pairs: SentencePairs, reasons: np.ndarray, options: PairsConfig) -> dict[str, Any]:
    """The report of `CleanedPairs`, from the reasons of `find_reasons`."""
    return {
        "pairs": len(pairs),
        "kept": int(np.sum(reasons == "")),
        "left_out": {reason: _count(pairs, reasons == reason) for reason in REASONS},
        "limits": {"max_tokens": options.max_tokens, "max_ratio": options.max_ratio},
    }


def summary(report: dict[str, Any]) -> str:
    """One line about the pairs that were left out; "" if none was."""
    left_out = report["pairs"] - report["kept"]
    if not left_out:
        return ""
    counts = [
        f"{found['pairs']:,} {reason} ({found['first'][0]})"
        for reason, found in report["left_out"].items()
        if found["pairs"]
    ]
    return f"{left_out:,} of {report['pairs']:,} training pairs left out: {', '.join(counts)}"


def _count(pairs: SentencePairs, chosen: np.ndarray) -> dict[str, Any]:
    indices = np.flatnonzero(chosen)
    return {"pairs": len(indices), "first": [pairs.where[index] for index in indices[:EXAMPLES]]}
