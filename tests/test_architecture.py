"""The arrows of the house: which file may import which."""

import ast
import graphlib
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What the parts of shared may import of shared, beside themselves.
BELOW = {
    "common": set(),
    "layers": set(),
    "losses": set(),
    "metrics": {"common"},
    "report": {"common"},
    "image": {"common"},
    "text": {"common"},
    "decoding": {"common", "layers"},
    "samples": {"common"},
    "engine": {
        "report", "image", "text", "decoding", "metrics", "layers", "losses", "common",
    },
    "testing": {
        "engine", "report", "image", "text", "decoding", "metrics", "layers", "losses", "common",
        "samples",
    },
}  # fmt: skip

# Folders of applications: none imports from another.
APPLICATIONS = (
    "apps.embeddings",
    "apps.vision.classification",
    "apps.vision.detection",
    "apps.translation",
    "apps.language",
    "apps.bert",
    "apps.tables.perceptrons",
    "apps.tables.forecast",
    "apps.generative.gan",
    "apps.generative.autoencoder",
    "apps.generative.cyclegan",
    "apps.generative.srgan",
)

# Modules that only the command line needs.
COMMAND_LINE = {"shared.engine.verbs", "shared.engine.options", "shared.engine.task_commands"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {
    module_name(path): path
    for path in (ROOT / "cli.py", *(ROOT / "apps").rglob("*.py"), *(ROOT / "shared").rglob("*.py"))
}


def imports_of(path: Path) -> set[str]:
    """The modules that a file imports anywhere: at its top, in functions, for type checking."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = inside & FILES.keys()
            found.update(modules)
            if modules != inside:
                found.add(node.module)
    return found


IMPORTS = {name: imports_of(path) for name, path in FILES.items()}


def test_every_part_of_shared_has_its_arrows():
    parts = {name.split(".")[1] for name in FILES if name.count(".") and name.startswith("shared.")}
    assert parts == set(BELOW)


@pytest.mark.parametrize("part", BELOW)
def test_arrows_inside_shared(part):
    allowed = BELOW[part] | {part}
    for name in (name for name in FILES if name.startswith(f"shared.{part}.")):
        for other in IMPORTS[name]:
            if other.startswith("shared."):
                assert other.split(".")[1] in allowed, f"{name} imports {other}"


def test_shared_imports_no_application():
    for name in (name for name in FILES if name.startswith("shared")):
        above = {other for other in IMPORTS[name] if other.split(".")[0] in ("apps", "cli")}
        assert not above, f"{name} imports {above}"


@pytest.mark.parametrize("application", APPLICATIONS)
def test_no_application_imports_another(application):
    others = [f"{other}." for other in APPLICATIONS if other != application]
    for name in (name for name in FILES if name.startswith(f"{application}.")):
        for imported in IMPORTS[name]:
            assert not any(f"{imported}.".startswith(other) for other in others), (
                f"{name} imports {imported}"
            )


def test_imports_have_no_circle():
    graph = {name: {other for other in others if other in FILES and other != name}
             for name, others in IMPORTS.items()}  # fmt: skip
    graphlib.TopologicalSorter(graph).prepare()  # Raises CycleError, which names the files.


def test_only_the_command_line_imports_the_verbs():
    for name in FILES:
        if name.startswith("apps.") and not name.endswith(".commands"):
            above = IMPORTS[name] & COMMAND_LINE
            assert not above, f"{name} imports {above}"


@pytest.mark.parametrize("part", ["layers", "losses"])
def test_layers_and_losses_use_keras_alone(part):
    """They run on every backend."""
    for name in (name for name in FILES if name.startswith(f"shared.{part}.")):
        for other in IMPORTS[name]:
            assert other.split(".")[0] not in ("tensorflow", "torch", "jax"), f"{name}: {other}"


def test_every_import_of_the_house_is_a_file():
    """Else the other tests would look past it."""
    known = set(FILES) | {".".join(parts) for parts in _packages()}
    for name, imported in itertools.chain.from_iterable(
        ((name, other) for other in others) for name, others in IMPORTS.items()
    ):
        if imported.split(".")[0] in ("apps", "shared", "cli"):
            assert imported in known, f"{name} imports {imported}"


def _packages():
    for name in FILES:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            yield tuple(parts[:end])
