"""A SavedModel with the signatures of translation that writes words backwards in capitals."""

from pathlib import Path

import tensorflow as tf

from apps.translation.config import TranslateConfig
from apps.translation.languages import LANGUAGES, Languages
from apps.translation.predictor import TranslationPredictor
from shared.common import config as configs
from shared.engine.app import App

TEXT = tf.TensorSpec([None], tf.string, name="text")
TARGET = tf.TensorSpec([None], tf.string, name="target")


class ToyTranslator(tf.Module):
    """ "a b c" becomes "C B A" with score -3.

    An empty text becomes "EMPTY", "fail" fails, and "bad" becomes characters no text holds.
    """

    def _translate(self, text):
        bad = tf.reduce_any(tf.strings.regex_full_match(text, ".*fail.*"))
        with tf.control_dependencies([tf.debugging.Assert(~bad, ["bad content"])]):
            words = tf.strings.split(tf.strings.upper(text, "utf-8"))
        translation = tf.strings.reduce_join(tf.reverse(words, [1]), axis=1, separator=" ")
        translation = tf.where(text == "bad", b"A\nB\xff\r\x85C", translation)
        translation = tf.where(text == "", "EMPTY", translation)
        return translation, -tf.cast(words.row_lengths(), tf.float32), words

    @tf.function(input_signature=[TEXT])
    def serve(self, text):
        translation, score, _ = self._translate(text)
        return {"translation": translation, "score": score}

    @tf.function(
        input_signature=[
            TEXT,
            tf.TensorSpec([], tf.int32, name="beam_size"),
            tf.TensorSpec([], tf.float32, name="length_penalty"),
        ]
    )
    def with_options(self, text, beam_size, length_penalty):
        translation, score, _ = self._translate(text)
        options = tf.strings.format(" {} {}", (beam_size, length_penalty))
        return {"translation": translation + options, "score": score}

    @tf.function(
        input_signature=[
            TEXT,
            tf.TensorSpec([], tf.int32, name="n"),
            tf.TensorSpec([], tf.int32, name="beam_size"),
            tf.TensorSpec([], tf.float32, name="length_penalty"),
        ]
    )
    def n_best(self, text, n, beam_size, length_penalty):
        translation, score, _ = self._translate(text)
        # The defaults of the configuration are not shown.
        options = tf.strings.format(" {} {}", (beam_size, length_penalty))
        translation += tf.where((beam_size == 4) & (length_penalty == 0.6), "", options)
        rank = tf.range(n)
        # The second way to write "twice" gives the same text.
        shown = tf.where((text == "twice")[:, None] & (rank == 1), 0, rank)
        translations = translation[:, None] + "/" + tf.strings.as_string(shown)
        scores = score[:, None] - tf.cast(rank, tf.float32) * 0.25
        # A search finds no more than three.
        return {"translations": translations, "scores": tf.where(rank < 3, scores, -1e9)}

    @tf.function(
        input_signature=[
            TEXT,
            tf.TensorSpec([], tf.float32, name="temperature"),
            tf.TensorSpec([], tf.int32, name="top_k"),
            tf.TensorSpec([], tf.float32, name="top_p"),
            tf.TensorSpec([], tf.int32, name="seed"),
        ]
    )
    def sample(self, text, temperature, top_k, top_p, seed):
        translation, score, _ = self._translate(text)
        options = tf.strings.format(" {} {} {} {}", (temperature, top_k, top_p, seed))
        return {"translation": translation + options, "score": score}

    @tf.function(input_signature=[TEXT, TARGET])
    def count_tokens(self, text, target):
        """A token for each Latin and Cyrillic letter; other characters are spelled in bytes."""
        plain = [tf.strings.regex_replace(side, "[Ѐ-ӿ]", "x") for side in (text, target)]
        source, target = (tf.strings.length(side) + 1 for side in plain)
        return {"source_tokens": source, "target_tokens": target}

    @tf.function(input_signature=[TEXT, TARGET])
    def score(self, text, target):
        count = [tf.cast(tf.strings.split(side).row_lengths(), tf.int32) for side in (text, target)]
        return {"score": -tf.cast(count[0], tf.float32), "tokens": count[1] + 1}

    @tf.function(input_signature=[TEXT, TARGET])
    def align(self, text, target):
        """Most attention falls on the end of the source, the rest where the words are from."""
        _, _, words = self._translate(text)
        written = tf.strings.split(target)
        end = tf.fill([tf.shape(text)[0], 1], "</s>")
        count = tf.cast(words.row_lengths(), tf.int32)[:, None, None]
        to, source = tf.meshgrid(*[tf.range(tf.reduce_max(count) + 1)] * 2, indexing="ij")
        is_partner = (source == count - 1 - to) & (to < count)
        is_end = (source == count) & (to <= count)
        return {
            "source_pieces": tf.concat([words, end], 1).to_tensor(),
            "target_pieces": tf.concat([written, end], 1).to_tensor(),
            "attention": 0.3 * tf.cast(is_partner, tf.float32) + 0.7 * tf.cast(is_end, tf.float32),
        }


class ToyTranslateApp(App):
    """Translates nothing in particular."""

    name = "translate"
    config_class = TranslateConfig
    monitor = ("val_bleu", "max")

    def predictor(self, saved_model, **options):
        return TranslationPredictor(**options)

    def prepare(self, run):
        raise NotImplementedError

    build = serving = evaluator = dataset = steps_per_epoch = check = prepare
    replace_validation_data = prepare


def save_toy(folder: Path, target_language: str = "de") -> Path:
    """Writes the SavedModel as export would, and returns its folder."""
    toy = ToyTranslator()
    names = ("with_options", "n_best", "sample", "score", "count_tokens", "align")
    signatures = {"serving_default": toy.serve} | {name: getattr(toy, name) for name in names}
    tf.saved_model.save(toy, str(folder), signatures=signatures)
    config = configs.resolve(TranslateConfig, {"data": ("x",)})
    (folder / "assets.extra").mkdir()
    configs.save(config, folder / "assets.extra" / "config.yaml")
    languages = Languages("en", target_language, "LATIN", "LATIN").as_json()
    (folder / "assets.extra" / LANGUAGES).write_text(languages, encoding="utf-8")
    return folder
