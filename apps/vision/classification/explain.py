"""Grad-CAM: which part of an image speaks for a class.

Reference: [Selvaraju et al., 2017](https://arxiv.org/abs/1610.02391)
"""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib import colormaps
from PIL import Image

from apps.vision.classification.data import evaluation_image
from shared.common.console import console
from shared.common.errors import SOME_REJECTED, KerasuiteError
from shared.common.files import atomic_path, write_text
from shared.common.inputs import find_inputs
from shared.engine.run import load_best, open_run
from shared.image.decode import decode_image
from shared.image.reader import IMAGE_SUFFIXES, load_source
from shared.image.result_name import result_name


class GradCam:
    """Class activation maps of the last feature map of a network.

    Args:
        model: functional model from images to logits; with several labels, `multilabel` is true.

    Raises:
        KerasuiteError: if the network has no feature map.
    """

    def __init__(self, model: keras.Model):
        maps = [layer for layer in model.layers if len(getattr(layer.output, "shape", ())) == 4]
        if not maps:
            raise KerasuiteError("explain: the network has no feature map to explain by")
        self._model = keras.Model(model.inputs, [maps[-1].output, model.outputs[0]])
        several = getattr(model, "multilabel", False)
        self._probabilities = tf.sigmoid if several else tf.nn.softmax

    def __call__(self, image: tf.Tensor, class_index: int | None = None):
        """Map of one image.

        Args:
            image: float32 (S, S, 3) in 0..255.
            class_index: class to explain, by default the predicted one.

        Returns:
            (map float32 (h, w) in 0..1, class index, probability).
        """
        with tf.GradientTape() as tape:
            features, logits = self._model(image[None], training=False)
            index = int(tf.argmax(logits[0])) if class_index is None else class_index
            score = logits[0, index]
        weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
        cam = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))[0]
        cam = tf.cast(cam, tf.float32) / (tf.cast(tf.reduce_max(cam), tf.float32) + 1e-8)
        probabilities = self._probabilities(tf.cast(logits[0], tf.float32))
        return cam.numpy(), index, float(probabilities[index])


def overlay(image: np.ndarray, cam: np.ndarray, strength: float = 0.45) -> Image.Image:
    """Paints a map over an image.

    Args:
        image: array (S, S, 3) in 0..255.
        cam: float array (h, w) in 0..1.
        strength: float, 0..1. Opacity of the map.
    """
    size = image.shape[1], image.shape[0]
    smooth = Image.fromarray(np.uint8(255 * cam)).resize(size, Image.Resampling.BICUBIC)
    heat = colormaps["jet"](np.asarray(smooth))[..., :3] * 255
    mixed = (1 - strength) * image + strength * heat
    return Image.fromarray(np.uint8(mixed.clip(0, 255)))


def explain_inputs(app, run_folder: Path, inputs, output: Path, label: str, limit: int) -> None:
    """Writes an overlay for every input image; exits with 3 if some were rejected.

    The label is the network's for the image itself, without `--flip-average`.

    Args:
        app: the application.
        run_folder: the run whose best model is explained.
        inputs: files, folders and globs.
        output: folder for the overlays.
        label: class to explain; "" for the predicted one of each image.
        limit: int. Maximum number of images; 0 for all.
    """
    import typer

    run = open_run(app, run_folder)
    names = run.artifacts["class_names"]
    if label and label not in names:
        raise KerasuiteError(f"--label {label}: not a class of the model: {', '.join(names)}")
    index = names.index(label) if label else None
    cam = GradCam(load_best(app, run))
    max_pixels = run.config.data_options.max_pixels
    errors = []
    for source in find_inputs(inputs, IMAGE_SUFFIXES, output=output, limit=limit or None):
        try:
            decoded = decode_image(load_source(source, max_pixels)[0])
        except KerasuiteError as error:
            console.print(f"{source.name}: {error}", markup=False)
            errors.append({"file": source.name, "error": str(error)})
            continue
        image = evaluation_image(decoded, run.config)
        heat, found, probability = cam(image, index)
        target = output / f"{result_name(source)}.png"
        if source.path and target.exists() and target.samefile(source.path):
            raise KerasuiteError(f"{target}: is an input; choose another --output")
        with atomic_path(target) as temporary:
            overlay(image.numpy(), heat).save(temporary, "PNG")
        console.print(f"{source.name}: {names[found]} {probability:.1%}", markup=False)
    console.print(f"Overlays are in {output}.")
    if errors:
        lines = [json.dumps(error, ensure_ascii=False) + "\n" for error in errors]
        write_text(output / "errors.jsonl", "".join(lines))
        raise typer.Exit(SOME_REJECTED)
