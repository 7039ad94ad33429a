"""A generator of CycleGAN in other formats: pictures as from the model."""

import pytest

from apps.generative.cyclegan.resnet_generator import build_resnet_generator
from apps.generative.cyclegan.serving import TranslationServing
from shared.common.errors import KerasuiteError
from shared.engine.network_export.export_network import verify_network_file, write_network
from shared.engine.network_export.formats import FORMATS
from tests.shared.engine.network_export.records import require
from tests.shared.engine.saved_model.folding import with_random_statistics


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("format", "residual", "upsampling"),
    [
        ("keras", True, "resize"),
        slow("keras", False, "transposed"),
        slow("onnx", True, "resize"),
        slow("onnx", False, "transposed"),
        slow("litert", False, "transposed"),
    ],
)
def test_a_file_gives_the_outputs_of_the_generator(format, residual, upsampling, tmp_path):
    require(format)
    model = with_random_statistics(build_resnet_generator(4, 1, upsampling, residual))
    module, writer = TranslationServing(model, "a2b"), FORMATS[format]
    file = tmp_path / writer.file_name
    write_network(writer, module, file)
    # On the scale of levels, 0 to 255.
    verify_network_file(writer, module, file, 1e-4)
    assert module.facts()["image"]["multiple_of"] == 4 and not writer.modules(file)


@pytest.mark.slow
def test_what_litert_lacks_is_named(tmp_path):
    require("litert")
    module = TranslationServing(build_resnet_generator(4, 1, "resize", True), "a2b")
    with pytest.raises(KerasuiteError, match="LiteRT lacks operations of it: Atanh, Conv2D"):
        write_network(FORMATS["litert"], module, tmp_path / "model.tflite")
