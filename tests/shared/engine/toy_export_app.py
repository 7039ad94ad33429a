"""A small application for the tests of export: words in, tag and scores out.

String -> lookup table from an asset file -> embedding -> dense, with BatchNormalization and a
compiled Adam, whose state must not be exported.
"""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from shared.common.config import RunConfig, config_class, option
from shared.engine.app import App, Evaluator, ServingModule
from shared.engine.run import Run

WORDS = ["apple", "é", "cat", "a|b"]
TAGS = ["fruit", "animal", "letter"]
# Read when the function runs, so that a traced graph keeps the old value.
OFFSET = 0.0


@config_class
class ToyConfig(RunConfig):
    """Configuration of the toy."""

    task: ClassVar[str] = "toy-tag"
    width: int = option(4, "Width of the embedding.", ge=1)


class ToyServing(ServingModule):
    """Tags words; signature `scale` multiplies numbers with a scalar input."""

    def __init__(self, model, folder):
        self.model = model
        vocabulary = folder / "words.txt"
        vocabulary.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
        initializer = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=1)

    def signatures(self):
        return {
            "serving_default": ({"word": tf.TensorSpec([None], tf.string)}, self.tag),
            "scale": (
                {"value": tf.TensorSpec([None, 2]), "factor": tf.TensorSpec([], tf.int32)},
                lambda value, factor: {"scaled": value * tf.cast(factor, value.dtype)},
            ),
        }

    def tag(self, word):
        ids = self.table.lookup(word)
        scores = tf.nn.softmax(self.model(ids, training=False)) + OFFSET
        best = tf.argmax(scores, axis=-1)
        picture = tf.map_fn(
            lambda row: tf.io.encode_png(tf.cast(row[None, :, None] * 255, tf.uint8)),
            scores,
            fn_output_signature=tf.string,
        )
        return {"scores": scores, "tag": tf.gather(tf.constant(TAGS), best), "picture": picture}

    def trackables(self):
        return [self.model, self.table]

    def examples(self):
        return {
            "serving_default": {"word": np.array(["cat", "é", "unknown"], object)},
            "scale": {"value": np.array([[1.5, -2.0]], "float32"), "factor": np.array(3)},
        }

    def extra_assets(self):
        return {"labels.txt": "\n".join(TAGS) + "\n"}


class ToyApp(App):
    """Tags words; exists to test the export."""

    name = "toy-tag"
    config_class = ToyConfig
    monitor = ("val_accuracy", "max")
    keys = ("",)

    def prepare(self, run):
        run.artifacts.setdefault("tags", TAGS)

    def build(self, run):
        keras.utils.set_random_seed(run.config.seed)
        model = keras.Sequential(
            [
                keras.Input((), dtype="int64"),
                keras.layers.Embedding(len(WORDS) + 1, run.config.width),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(len(TAGS)),
            ]
        )
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    def serving(self, run, model):
        return {key: ToyServing(model, run.folder) for key in self.keys}

    def evaluator(self, run) -> Evaluator:
        raise NotImplementedError

    dataset = steps_per_epoch = predictor = check = replace_validation_data = evaluator


class TwoWayApp(ToyApp):
    """Exports two models, as CycleGAN does."""

    keys = ("a2b", "b2a")


def make_run(folder, **values):
    """A run folder with a model, as `train` leaves it."""
    from shared.common import config as configs

    folder.mkdir(parents=True, exist_ok=True)
    run = Run(ToyConfig(data=("words",), **values), folder)
    configs.save(run.config, folder / "config.yaml")
    ToyApp().prepare(run)
    run.save_artifacts()
    model = ToyApp().build(run)
    model.save(folder / "model.keras")
    return run, model
