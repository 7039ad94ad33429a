"""Where imported weights come from, for the model card: source, revision, licence, SHA-256."""

import re
from pathlib import Path

from shared.common.console import console
from shared.common.hugging_face_hub import PREFIX, named_sha256, sha256_of
from shared.common.safetensors_files import FILES

CARD = "README.md"
LICENCE = re.compile(r"^license:\s*['\"]?([\w.+-]+)", re.MULTILINE)
COMMIT = re.compile("[0-9a-f]{40}")
NOT_NAMED = "not named in the checkpoint; see its page"


def origin_of(source: str, folder: Path) -> dict[str, str]:
    """The facts of a folder of weights, by name, for the artifacts of a run.

    Args:
        source: the name that the user gave.
        folder: the folder of Hugging Face that it is in.
    """
    facts = {"imported_from": source, "licence": _licence(folder / CARD)}
    if source.startswith(PREFIX) and COMMIT.fullmatch(folder.name):
        facts["revision"] = folder.name
    paths = sorted({path for pattern in FILES for path in folder.glob(pattern)})
    for path in paths:
        if path.suffix == ".safetensors":
            facts[f"SHA-256 of {path.name}"] = named_sha256(path) or sha256_of(path)
    return facts


def tell_origin(facts: dict[str, str]) -> None:
    """Prints licence and SHA-256."""
    for name, value in facts.items():
        if name.startswith("SHA-256") or name == "licence":
            console.print(f"{name[0].upper()}{name[1:]}: {value}", markup=False)


def _licence(path: Path) -> str:
    """The licence in the first lines of a card on the Hub, between two lines of ---."""
    if not path.is_file():
        return NOT_NAMED
    parts = path.read_text(encoding="utf-8", errors="replace").split("---", 2)
    match = LICENCE.search(parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    return match[1] if match else NOT_NAMED
