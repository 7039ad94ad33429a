"""The languages of a translator, and what depends on them."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.common.files import read_json
from shared.text.language_codes import is_unspaced

# A file beside the SavedModel's configuration.
LANGUAGES = "languages.json"


def separator(language: str) -> str:
    """The separator of two sentences of a language: a space, or nothing.

    >>> separator("zho_Hans"), separator("de"), separator("")
    ('', ' ', ' ')
    """
    return "" if is_unspaced(language) else " "


@dataclasses.dataclass(frozen=True)
class Languages:
    """Languages and scripts of a translator; "" where they are not known.

    Attributes:
        source, target: languages, such as "en" and "de".
        source_script, target_script: of most of the training text, see
            `pairs/scripts.py`.
    """

    source: str = ""
    target: str = ""
    source_script: str = ""
    target_script: str = ""

    @property
    def sides(self) -> tuple[str, str]:
        return self.source, self.target

    def as_json(self) -> str:
        """The content of the file LANGUAGES."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def of_run(cls, artifacts: Mapping[str, Any]) -> "Languages":
        """Those of a run; runs of before know no scripts."""
        return cls(
            artifacts["source_language"],
            artifacts["target_language"],
            artifacts.get("source_script", ""),
            artifacts.get("target_script", ""),
        )

    @classmethod
    def of_export(cls, extra: Path) -> "Languages":
        """Those in the folder of a SavedModel's extra assets; older ones know less."""
        file = extra / LANGUAGES
        return cls(**read_json(file)) if file.is_file() else cls()
