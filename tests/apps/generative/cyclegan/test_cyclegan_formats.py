"""A generator of CycleGAN in other formats: pictures as from the model."""

import numpy as np
import pytest
from PIL import Image

from apps.generative.cyclegan.app import CycleGANApp
from apps.generative.cyclegan.resnet_generator import build_resnet_generator
from apps.generative.cyclegan.serving import TranslationServing
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.engine.network_export.export_network import (
    export_network,
    verify_network_file,
    write_network,
)
from shared.engine.network_export.formats import FORMATS
from shared.engine.network_export.open_model import loader
from shared.engine.prediction.predict import predict
from shared.engine.run import Run
from shared.engine.saved_model.export import export
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


@pytest.mark.slow
def test_predicted_pictures_are_those_of_the_savedmodel(tmp_path, monkeypatch):
    require("onnx")
    monkeypatch.setattr("shared.engine.saved_model.export.verify", lambda jobs: None)
    app = CycleGANApp()
    run = Run(configs.resolve(app.config_class, {"preset": "test", "data": ("x",)}), tmp_path / "r")
    run.folder.mkdir()
    model = app.build(run)
    for generator in (model.a2b, model.b2a):
        with_random_statistics(generator)
    both = (
        export(app, run, model, tmp_path / "saved_models")["b2a"],
        export_network(app, run, model, tmp_path / "exports", format="onnx")["b2a"],
    )
    (tmp_path / "pictures").mkdir()
    for index, size in enumerate(((5, 30), (41, 26))):
        pixels = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{index}.png")
    results = []
    for number, path in enumerate(both):
        predictor = app.predictor(path, direction="b2a")
        sources = find_inputs([str(tmp_path / "pictures")], predictor.suffixes)
        output = tmp_path / f"out-{number}"
        predict(path, sources, predictor, output, batch_size=1, load=loader(app, path))
        results.append([np.asarray(Image.open(p), int) for p in sorted(output.glob("*.png"))])
    assert len(results[0]) == 2
    for one, other in zip(*results, strict=True):
        assert one.shape == other.shape and np.abs(one - other).max() <= 1
