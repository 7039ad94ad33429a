"""A generator in other formats: pictures of any size, as from its SavedModel."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from apps.generative.srgan.app import SrganApp
from apps.generative.srgan.config import SrganConfig
from shared.common import config as configs
from shared.common.inputs import find_inputs
from shared.engine.network_export.export_network import export_network
from shared.engine.network_export.open_model import loader
from shared.engine.prediction.predict import predict
from shared.engine.run import Run
from shared.engine.saved_model.export import export
from tests.shared.engine.network_export.records import require
from tests.shared.engine.saved_model.folding import with_random_statistics


def slow(*values: str):
    return pytest.param(values, marks=pytest.mark.slow)


@pytest.fixture(
    scope="module",
    params=[
        ("srresnet", "onnx"),
        slow("espcn", "onnx"),
        slow("srresnet", "litert"),
        slow("espcn", "litert"),
        slow("srresnet", "keras"),
        slow("espcn", "keras"),
    ],
    ids="-".join,
)
def both(request, tmp_path_factory):
    """(SavedModel, network file) of one generator."""
    generator, format = request.param
    require(format)
    keras.utils.set_random_seed(3)
    folder = tmp_path_factory.mktemp(generator)
    overrides = {"stage": "pixel", "model.generator": generator, "data": ("x",)}
    overrides |= {"model.residual": "bicubic"} if generator == "espcn" else {}
    run = Run(configs.resolve(SrganConfig, {"preset": "test", **overrides}), folder)
    app = SrganApp()
    model = with_random_statistics(app.build(run))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.engine.saved_model.export.verify", lambda jobs: None)
        # Both exports measure it, and what is measured of so small a network varies.
        patch.setattr("apps.generative.srgan.serving.measured_bytes_per_pixel", lambda *_: 1024)
        saved_model = export(app, run, model, folder / "saved_models")[""]
        network = export_network(app, run, model, folder / "exports", format=format)[""]
    return saved_model, network


def enlarged(model, inputs, output, **options):
    app = SrganApp()
    predictor = app.predictor(model, **options)
    sources = find_inputs([str(inputs)], predictor.suffixes)
    predict(model, sources, predictor, output, batch_size=1, load=loader(app, model))
    return [np.asarray(Image.open(path), np.int32) for path in sorted(output.glob("*.png"))]


def test_pictures_are_those_of_the_savedmodel(both, tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for index, size in enumerate(((1, 1), (7, 30), (90, 70))):
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size).save(tmp_path / "pictures" / f"{index}.png")
    # Of the largest picture, tiles.
    facts = json.loads((both[1].parent / "model.json").read_text())["values"]
    small = {"memory": 64**2 * facts["bytes_per_pixel"] / 2**30, "overlap": 24}
    for options in ({}, small):
        ours, theirs = (
            enlarged(model, tmp_path / "pictures", tmp_path / f"{key}-{len(options)}", **options)
            for key, model in zip(("tensorflow", "network"), both, strict=True)
        )
        assert len(ours) == 3
        for one, other in zip(ours, theirs, strict=True):
            assert one.shape == other.shape and np.abs(one - other).max() <= 1
