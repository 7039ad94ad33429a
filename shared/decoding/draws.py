"""Options of random draws, checked before a model is loaded."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from shared.common.errors import UsageError

MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Draws:
    """How tokens are drawn, see `shared.decoding.sampling.sample`.

    Attributes:
        temperature, top_k, top_p: which tokens are drawn how often.
        seed: int. Another one draws other tokens.

    Raises:
        UsageError: if one is out of bounds.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 1

    def __post_init__(self):
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UsageError(
                f"--temperature {self.temperature}: give a number above 0, such as 0.8, or 0 for "
                f"the likeliest token"
            )
        if self.top_k < 0:
            raise UsageError(f"--top-k {self.top_k}: give at least 1, or 0 for all tokens")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"--top-p {self.top_p}: give a number above 0 and up to 1")
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"--seed {self.seed}: give 0 to {MAX_SEED}")

    def inputs(self) -> dict[str, Any]:
        """The scalar inputs of a signature that draws."""
        return asdict(self)
