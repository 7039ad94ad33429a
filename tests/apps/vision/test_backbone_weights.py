"""Weight files of keras.applications and our own; all written here, since tests run offline."""

import functools
import hashlib
import http.server
import threading

import keras
import numpy as np
import pytest

from apps.vision.backbones import build_backbone, classification_head, load_head_weights
from apps.vision.backbones.keras_applications import APPLICATIONS
from shared.common.errors import KerasuiteError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(0, 255, size=(2, 64, 64, 3)).astype("float32")
SMALL_RESNET = {"input_shape": (32, 32, 3), "small_stem": True, "width": 8}


def randomise(model):
    """Moves biases, scales and batch statistics off their neutral initial values."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            spread = [RANDOM.uniform(0.5, 1.2, weight.shape) for weight in layer.weights]
            layer.set_weights(spread)
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(RANDOM.normal(0, 0.1, layer.bias.shape))
    return model


def caffe(images):
    return keras.applications.imagenet_utils.preprocess_input(images.copy(), mode="caffe")


def assert_agree(ours, theirs, images=IMAGES):
    expected = np.asarray(theirs(caffe(images), training=False))
    actual = np.asarray(ours(images, training=False))
    assert expected.std() > 0
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    "name, file_name",
    [
        ("vgg16", "legacy.h5"),
        ("vgg19", "new.weights.h5"),
        ("resnet50", "new.weights.h5"),
        ("resnet101", "legacy.h5"),
    ],
)
def test_outputs_agree_with_keras_applications(tmp_path, name, file_name):
    theirs = _application(name, include_top=False, input_shape=(64, 64, 3))
    _save(theirs, tmp_path / file_name)
    ours = build_backbone(name, (64, 64, 3), weights=str(tmp_path / file_name))
    assert ours.count_params() == theirs.count_params()
    assert_agree(ours, theirs)


def test_file_with_classifier_serves_backbone_and_classifier(tmp_path):
    theirs = _application("resnet50", include_top=True, classifier_activation=None)
    path = tmp_path / "resnet50.h5"
    _save(theirs, path)
    backbone = build_backbone("resnet50", (64, 64, 3), weights=str(path))
    model = keras.Model(backbone.input, classification_head(backbone.output, 1000))
    assert load_head_weights(model, "resnet50", str(path)) == ["predictions"]
    assert_agree(model, _at_size(theirs, 64))

    ten_classes = keras.Model(backbone.input, classification_head(backbone.output, 10))
    assert load_head_weights(ten_classes, "resnet50", str(path)) == []


@pytest.mark.slow
def test_vgg16_with_classifier(tmp_path):
    theirs = _application("vgg16", include_top=True, classifier_activation=None)
    path = tmp_path / "vgg16.h5"
    _save(theirs, path)
    backbone = build_backbone("vgg16", weights=str(path))
    model = keras.Model(backbone.input, classification_head(backbone.output, 1000, "classic"))
    assert load_head_weights(model, "vgg16", str(path)) == ["fc1", "fc2", "predictions"]
    assert_agree(model, theirs, RANDOM.uniform(0, 255, (1, 224, 224, 3)).astype("float32"))


def _application(name, **options):
    return randomise(APPLICATIONS[name].build(weights=None, **options))


def _at_size(classifier, size):
    """The same layers for images of another size."""
    smaller = keras.applications.ResNet50(
        weights=None, input_shape=(size, size, 3), classifier_activation=None
    )
    smaller.set_weights(classifier.get_weights())
    return smaller


def _save(model, path):
    """Keras still writes the legacy layout of the published files: `model_weights` in a `.h5`."""
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)


def test_a_published_file_has_its_layers_at_the_top_level(tmp_path):
    """The files on the server lack the group `model_weights` around their layers."""
    import h5py

    theirs = _application("vgg16", include_top=False, input_shape=(64, 64, 3))
    theirs.save(tmp_path / "whole.h5")
    with h5py.File(tmp_path / "whole.h5") as whole, h5py.File(tmp_path / "bare.h5", "w") as bare:
        group = whole["model_weights"]
        for name in group:
            group.copy(name, bare)
        for key, value in group.attrs.items():
            bare.attrs[key] = value
    assert_agree(build_backbone("vgg16", (64, 64, 3), weights=str(tmp_path / "bare.h5")), theirs)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_own_files_serve_as_start_for_another_task(tmp_path, suffix):
    backbone = build_backbone("resnet18", **SMALL_RESNET)
    model = keras.Model(backbone.input, classification_head(backbone.output, 3))
    model.compile("adam", "mse")
    path = tmp_path / f"model{suffix}"
    (model.save if suffix == ".keras" else model.save_weights)(path)

    revived = build_backbone("resnet18", **SMALL_RESNET, weights=str(path))
    images = IMAGES[:, :32, :32]
    np.testing.assert_array_equal(revived(images), backbone(images))
    other_task = keras.Model(revived.input, classification_head(revived.output, 5))
    assert load_head_weights(other_task, "resnet18", str(path)) == []
    same_task = keras.Model(revived.input, classification_head(revived.output, 3))
    loaded = load_head_weights(same_task, "resnet18", str(path))
    assert loaded == (["predictions"] if suffix == ".keras" else [])


@pytest.mark.parametrize("kind", ["top.h5", "notop.weights.h5", "own.keras"])
def test_keras_applications_by_path(tmp_path, kind):
    path = tmp_path / kind
    if kind == "own.keras":
        source = build_backbone("MobileNet", (32, 32, 3))
        keras.Model(source.input, classification_head(source.output, 3)).save(path)
    else:
        options = {} if kind == "top.h5" else {"include_top": False, "input_shape": (64, 64, 3)}
        source = randomise(keras.applications.MobileNet(weights=None, **options))
        _save(source, path)
    backbone = build_backbone("MobileNet", (64, 64, 3), weights=str(path))
    for ours, theirs in zip(backbone.get_weights(), source.get_weights(), strict=False):
        np.testing.assert_array_equal(ours, theirs)


def test_none_loads_nothing():
    backbone = build_backbone("resnet18", **SMALL_RESNET, weights="none")
    model = keras.Model(backbone.input, classification_head(backbone.output, 3))
    assert load_head_weights(model, "resnet18", "none") == []


def _assert_refused(message, *names, **options):
    with pytest.raises(KerasuiteError, match=message) as caught:
        build_backbone(*names, **options)
    assert "\n" not in str(caught.value)


def test_bad_files_are_refused_with_one_line(tmp_path):
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "text.keras").write_text("no archive")
    (tmp_path / "model.pth").write_bytes(b"x")
    small = {"input_shape": (32, 32, 3)}
    path = str(tmp_path / "missing.h5")
    _assert_refused("missing.h5: no such file", "vgg16", **small, weights=path)
    path = str(tmp_path / "empty.h5")
    _assert_refused("empty.h5: not a readable HDF5", "vgg16", **small, weights=path)
    path = str(tmp_path / "text.keras")
    _assert_refused("text.keras: not a readable model", "resnet18", **small, weights=path)
    path = str(tmp_path / "model.pth")
    _assert_refused(r"model.pth: weights are read from \.h5", "vgg16", **small, weights=path)


def test_wrong_architectures_are_refused(tmp_path):
    """Ours for ours, theirs for ours, ours with another width, theirs where there is no twin."""
    small = {"input_shape": (32, 32, 3)}
    application = str(tmp_path / "mobile.h5")
    keras.applications.MobileNet(weights=None, include_top=False, **small).save(application)
    _assert_refused("do not fit resnet50", "resnet50", **small, weights=application)
    _assert_refused("no network like resnet18", "resnet18", **small, weights=application)
    own = build_backbone("resnet18", **SMALL_RESNET)
    for suffix in (".keras", ".weights.h5"):
        path = str(tmp_path / f"own{suffix}")
        (own.save if suffix == ".keras" else own.save_weights)(path)
        _assert_refused("do not fit resnet34", "resnet34", **SMALL_RESNET, weights=path)
        wider = {**SMALL_RESNET, "width": 16}
        _assert_refused("do not fit resnet18", "resnet18", **wider, weights=path)


def test_published_weights_need_the_published_network(tmp_path):
    path = str(tmp_path / "vgg16.h5")
    _application("vgg16", include_top=False, input_shape=(32, 32, 3)).save(path)
    small = {"input_shape": (32, 32, 3), "weights": path}
    _assert_refused(
        "expect normalization caffe, not torch", "vgg16", normalization="torch", **small
    )
    _assert_refused("do not fit vgg16.*width", "vgg16", width=8, **small)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An http.server in place of Keras's, with a random ResNet-50 whose hash is entered."""
    from keras.src.applications import resnet  # private: where its weights are published
    from keras.src.backend import config

    theirs = _application("resnet50", include_top=False, input_shape=(64, 64, 3))
    file = tmp_path / "server" / "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    file.parent.mkdir()
    theirs.save(file)
    digest = hashlib.md5(file.read_bytes()).hexdigest()
    monkeypatch.setitem(resnet.WEIGHTS_HASHES, "resnet50", ("", digest))
    monkeypatch.setattr(config, "_KERAS_DIR", str(tmp_path / "cache"))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        requests = []

        def log_message(self, *args):
            self.requests.append(self.path)

    handler = functools.partial(Quiet, directory=str(file.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(resnet, "BASE_WEIGHTS_PATH", address)
        yield theirs, file, Quiet.requests
        server.shutdown()


def test_imagenet_weights_are_downloaded_once(server):
    theirs, file, requests = server
    ours = build_backbone("resnet50", (64, 64, 3), weights="imagenet")
    assert_agree(ours, theirs)
    assert requests == [f"/{file.name}"]
    build_backbone("ResNet50", (64, 64, 3), weights="imagenet")
    assert len(requests) == 1


def test_a_failed_download_is_reported_in_one_line(server, monkeypatch):
    from keras.src.applications import resnet

    _, file, _ = server
    options = {"input_shape": (64, 64, 3), "weights": "imagenet"}
    file.write_bytes(b"damaged")
    _assert_refused("cannot download .*ResNet50.*hash.*--weights PATH", "resnet50", **options)
    file.unlink()
    _assert_refused(f"cannot download .*ResNet50.*{file.name}.*404", "resnet50", **options)
    monkeypatch.setattr(resnet, "BASE_WEIGHTS_PATH", "http://127.0.0.1:9/")
    for name in ("resnet50", "keras:ResNet50"):
        message = f"cannot download .*ResNet50.*{file.name}.*--weights PATH"
        _assert_refused(message, name, **options)


def test_nothing_is_published_for_most_of_ours():
    options = {**SMALL_RESNET, "weights": "imagenet"}
    _assert_refused("none are published for resnet18; choose vgg16", "resnet18", **options)


def test_a_published_classifier_that_cannot_fit_is_not_downloaded(monkeypatch):
    def download(**_):
        raise AssertionError

    monkeypatch.setattr(keras.applications, "VGG16", download)
    backbone = build_backbone("vgg16", (64, 64, 3))
    for kind, units in (("pool", 10), ("classic", 1000)):
        head = classification_head(backbone.output, units, kind, hidden_dim=16)
        assert load_head_weights(keras.Model(backbone.input, head), "vgg16", "imagenet") == []
