"""Options of `predict`, `sample` and `interactive`, and the signature that answers them."""

import math
from dataclasses import dataclass, replace
from typing import Any

from apps.language.config import MAX_BEAM, MAX_TOKENS, WritingConfig
from shared.common.errors import UsageError
from shared.decoding.draws import Draws

# Options of draws, which a search has not.
DRAWN = ("temperature", "top_k", "top_p", "repetition_penalty", "seed")


@dataclass(frozen=True)
class Writing:
    """Random draws, or a search for the likeliest text.

    Attributes:
        max_tokens: int. Largest number of tokens; None for as the run was configured.
        temperature, top_k, top_p: see `shared.decoding.sampling`; None for as configured.
        repetition_penalty: float. Makes tokens of the text so far less likely; None or 1 is none.
        seed: int. Of the draws; None for 1.
        samples: int. Texts for each prompt, by the seeds SEED, SEED + 1 and so on.
        stop: strings before which a text ends.
        beam_size: int. Searches with this many hypotheses instead of drawing; None draws.
        n_best: int. The best texts of the search to return.
        length_penalty: float. Of the search; None for 0.6.

    Raises:
        UsageError: if options are out of bounds or do not go together.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    samples: int = 1
    stop: tuple[str, ...] = ()
    beam_size: int | None = None
    n_best: int = 1
    length_penalty: float | None = None

    def __post_init__(self):
        _check_range("--max-tokens", self.max_tokens, 1, MAX_TOKENS)
        _check_range("--samples", self.samples, 1, None)
        _check_range("--beam-size", self.beam_size, 1, MAX_BEAM)
        self._check_penalties()
        self._check_search()
        given = {name: getattr(self, name) for name in ("temperature", "top_k", "top_p", "seed")}
        Draws(**{name: value for name, value in given.items() if value is not None})

    def _check_penalties(self) -> None:
        repetition, length = self.repetition_penalty, self.length_penalty
        if repetition is not None and not (math.isfinite(repetition) and repetition >= 1):
            raise UsageError(
                f"--repetition-penalty {repetition}: give a number from 1 on, such as 1.2"
            )
        if length is not None and not (math.isfinite(length) and length >= 0):
            raise UsageError(f"--length-penalty {length}: give a number from 0 on, such as 0.6")

    def _check_search(self) -> None:
        if self.beam_size is None:
            if self.n_best != 1 or self.length_penalty is not None:
                raise UsageError(
                    "--n-best and --length-penalty are for a search; add --beam-size, or use "
                    "--samples for several draws"
                )
            return
        drawn = [name for name in DRAWN if getattr(self, name) is not None]
        if drawn or self.samples != 1:
            option = f"--{(drawn or ['samples'])[0].replace('_', '-')}"
            raise UsageError(f"{option} is for random draws; leave it or --beam-size out")
        if not 1 <= self.n_best <= self.beam_size:
            raise UsageError(
                f"--n-best {self.n_best}: a beam of {self.beam_size} finds 1 to {self.beam_size}; "
                f"raise --beam-size"
            )

    @property
    def is_search(self) -> bool:
        return self.beam_size is not None

    @property
    def first_seed(self) -> int:
        return 1 if self.seed is None else self.seed

    @property
    def signature(self) -> str:
        """The name of the signature that answers."""
        return "search" if self.is_search else "write"

    def configured(self, own: WritingConfig) -> "Writing":
        """The same with what was not given as the run was configured."""
        names = (
            ("max_tokens",) if self.is_search else ("max_tokens", "temperature", "top_k", "top_p")
        )
        missing = {name: getattr(own, name) for name in names if getattr(self, name) is None}
        return replace(self, **missing)

    def inputs(self) -> dict[str, Any]:
        """The inputs of the signature beside prompts and seeds, once it is `configured`."""
        shared = {"max_tokens": self.max_tokens, "stop": list(self.stop)}
        if self.is_search:
            penalty = 0.6 if self.length_penalty is None else self.length_penalty
            beam = {"beam_size": self.beam_size, "n": self.n_best, "length_penalty": penalty}
            return shared | beam
        draws = {name: getattr(self, name) for name in ("temperature", "top_k", "top_p")}
        penalty = 1.0 if self.repetition_penalty is None else self.repetition_penalty
        return shared | draws | {"repetition_penalty": penalty}


def _check_range(option: str, value: int | None, low: int, high: int | None) -> None:
    if value is None:
        return
    if value < low or (high is not None and value > high):
        limit = f"at least {low}" if high is None else f"{low} to {high:,}"
        raise UsageError(f"{option} {value}: give {limit}")
