"""Options of `predict` for the search, and the signature that answers them."""

import math
from dataclasses import dataclass, fields
from typing import Any

from apps.translation.config import MAX_BEAM, DecodingConfig
from shared.common.errors import UsageError
from shared.decoding.draws import Draws

# Names of the options of random draws.
DRAWS = tuple(field.name for field in fields(Draws))


@dataclass(frozen=True)
class Search:
    """A search for the best translations, or random draws.

    Attributes:
        beam_size, length_penalty: of the beam search; None for as the run was configured.
        n_best: int. Translations of each text to return; 0 for the best one.
        sample: bool. Draws translations at random.
        temperature, top_k, top_p, seed: how they are drawn, see `shared.decoding.sampling`; None
            for the model's own probabilities, and the seed 1.

    Raises:
        UsageError: if options are out of bounds or do not go together.
    """

    beam_size: int | None = None
    length_penalty: float | None = None
    n_best: int = 0
    sample: bool = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None

    def __post_init__(self):
        self._check_beam("--beam-size", self.beam_size, minimum=1)
        self._check_beam("--n-best", self.n_best, minimum=0)
        penalty = self.length_penalty
        if penalty is not None and not (math.isfinite(penalty) and penalty >= 0):
            raise UsageError(f"--length-penalty {penalty}: give a number from 0 on, such as 0.6")
        if self.beam_size is not None and self.n_best > self.beam_size:
            raise UsageError(
                f"--n-best {self.n_best}: a beam of {self.beam_size} finds no more than that; "
                f"raise --beam-size or leave it out"
            )
        if self.sample and (self.n_best or self._has_options):
            raise UsageError(
                "--sample draws at random; leave out --n-best, --beam-size and --length-penalty"
            )
        self._check_draws()

    @staticmethod
    def _check_beam(option: str, size: int | None, minimum: int) -> None:
        if size is not None and not minimum <= size <= MAX_BEAM:
            raise UsageError(
                f"{option} {size}: give {minimum} to {MAX_BEAM}; memory grows with the square of it"
            )

    def _check_draws(self) -> None:
        given = [name for name in DRAWS if getattr(self, name) is not None]
        if given and not self.sample:
            option = f"--{given[0].replace('_', '-')}"
            raise UsageError(f"{option} is for random draws; add --sample or leave it out")
        if self.temperature == 0:
            raise UsageError(f"--temperature {self.temperature}: leave out --sample for that")
        self.checked_draws()

    @property
    def _has_options(self) -> bool:
        return self.beam_size is not None or self.length_penalty is not None

    def checked_draws(self) -> Draws:
        """The draws that were asked for.

        Raises:
            UsageError: if one of their options is out of bounds.
        """
        given = {name: getattr(self, name) for name in DRAWS}
        return Draws(**{name: value for name, value in given.items() if value is not None})

    @property
    def draws(self) -> dict[str, Any]:
        """The scalar inputs of the signature `sample`."""
        return self.checked_draws().inputs()

    @property
    def signature(self) -> str:
        """The name of the signature that answers."""
        if self.sample:
            return "sample"
        if self.n_best:
            return "n_best"
        return "with_options" if self._has_options else "serving_default"

    @property
    def outputs(self) -> tuple[str, str]:
        """The outputs of the signature that hold translations and their scores."""
        return ("translations", "scores") if self.n_best else ("translation", "score")

    def inputs(self, own: DecodingConfig) -> dict[str, Any]:
        """The inputs of the signature beside texts; options not given are the model's own."""
        if self.signature == "sample":
            return self.draws
        if self.signature == "serving_default":
            return {}
        given = {name: getattr(self, name) for name in ("beam_size", "length_penalty")}
        search = {name: getattr(own, name) if v is None else v for name, v in given.items()}
        return search | ({"n": self.n_best} if self.n_best else {})

    def settings(self) -> dict[str, Any]:
        """The options that change results, as JSON."""
        names = ("beam_size", "length_penalty", "n_best")
        settings = {name: getattr(self, name) for name in names}
        return settings | ({"sample": self.draws} if self.sample else {})
