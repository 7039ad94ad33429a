"""The formats of `export --format`, beside the SavedModel."""

from pathlib import Path

from shared.engine.network_export.keras_format import KerasFormat
from shared.engine.network_export.litert_format import LiteRtFormat
from shared.engine.network_export.network_format import NetworkFormat
from shared.engine.network_export.onnx_format import OnnxFormat

FORMATS: dict[str, NetworkFormat] = {
    each.name: each for each in (OnnxFormat(), KerasFormat(), LiteRtFormat())
}


def format_of(file: Path) -> NetworkFormat:
    """The format of a network file, by its suffix."""
    suffix = file.suffix.removeprefix(".")
    return next(each for each in FORMATS.values() if each.suffix == suffix)
