"""What is imported is declared, what is declared is used, and each has its reason and its pin."""

import re
import sys
import tomllib

from tests.test_architecture import FILES, IMPORTS, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Installed under constraints.txt by the Makefile and .ci/run; `gpu` by users.
PINNED_EXTRAS = ("test", "docs", "zh", "tensorboard", "onnx", "litert", "parquet", "gpu")

MODULES = {
    "pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn", "scikit-image": "skimage",
}  # fmt: skip


def package(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


RUNTIME = {package(requirement) for requirement in PROJECT["dependencies"]}


def module_of(name: str) -> str:
    return MODULES.get(name, name.replace("-", "_"))


def outside_imports() -> dict[str, set[str]]:
    """Module of another package to the files that import it."""
    found: dict[str, set[str]] = {}
    for name, imported in IMPORTS.items():
        # The tools of testing are run by tests only.
        if name.startswith("shared.testing"):
            continue
        for other in imported:
            top = other.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ("apps", "shared", "cli"):
                found.setdefault(top, set()).add(name)
    return found


def test_imports_are_declared():
    # Protocol buffers and HDF5: TensorFlow and Keras are built on them.
    brought = {"google", "h5py"}
    found = outside_imports()
    # A script for a process of its own, where such a file was written.
    for runtime in ("onnxruntime", "ai_edge_litert"):
        assert found.pop(runtime) == {"shared.engine.network_export.verify_network"}
    assert set(found) - {module_of(name) for name in RUNTIME} <= brought


def test_what_is_declared_is_used():
    imported = set(outside_imports())
    # Asked for by the name of its module, as it may be missing; pictures are read as resources.
    for name, file in (("tensorflow-text", "shared.text.tensorflow_text"),
                       ("scikit-image", "shared.samples.photos")):  # fmt: skip
        assert module_of(name) in FILES[file].read_text(encoding="utf-8")
        imported.add(module_of(name))
    assert {module_of(name) for name in RUNTIME} <= imported


def test_only_translate_bert_and_subwords_need_tensorflow_text():
    """Windows has no tensorflow-text: nothing else may reach the module that asks for it."""
    # Imported where subwords are asked for, and nowhere else.
    subwords = "apps.language.tokenizers.line_subword_tokenizer"
    assert [name for name in FILES if subwords in IMPORTS[name]] == [
        "apps.language.tokenizers.kinds"
    ]
    reached = {subwords}
    waiting = [
        name for name in FILES if not name.startswith(("apps.translation", "apps.bert", "shared"))
    ]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for other in IMPORTS[name] if other in FILES]
    assert {"apps.vision.detection.app", "apps.language.app"} <= reached
    assert "shared.text.tensorflow_text" not in reached
    # These two look for its operations and do without.
    users = outside_imports().get("tensorflow_text", set())
    assert users <= {
        "shared.engine.saved_model.loaded_model", "shared.engine.saved_model.verify_export",
    }  # fmt: skip


def test_every_pin_is_exact():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line


def test_every_package_is_pinned_and_has_its_reason():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {package(line) for line in lines}
    assert len(pinned) == len(lines)
    extras = {package(each) for name in PINNED_EXTRAS for each in EXTRAS[name]} - {"kerasuite"}
    assert pinned >= RUNTIME | extras
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Dependencies")[2].lower().replace("_", "-")
    named = set(re.findall(r"[\w.-]+", "\n".join(
        line.split("|")[1] for line in table.splitlines() if line.startswith("|")
    )))  # fmt: skip
    everything = {package(each) for group in EXTRAS.values() for each in group}
    assert named >= (RUNTIME | everything) - {"kerasuite"}
