"""Speed of translation: raw strings through the SavedModel, and training."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.bench.measure import Result

APP = "apps.translation.app:TranslateApp"
# Three blocks of width 256, 8,000 subwords, 16 source and 20 target tokens, as the references.
ROWS, SOURCE, TARGET, VOCABULARY = 32, 16, 20, 8000
TRAINING_ROWS = 128
# Tokens a second on two such cores: Hugging Face's MarianMT in PyTorch, CTranslate2 in float32.
MARIAN = {1: 5400, 4: 1800}
CTRANSLATE2 = {1: 5000, 4: 2800}
MARIAN_TRAINING = 3000


def greedy() -> Result:
    return _decoding(1)


def beam() -> Result:
    return _decoding(4)


def _decoding(beam_size: int) -> Result:
    """Target tokens a second from raw strings to raw strings, in batches of 32."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as name:
        path, texts = _exported(Path(name), beam_size)
        module = tf.saved_model.load(str(path))
        serve = module.signatures["serving_default"]
        seconds = []
        for _ in range(12):
            started = time.perf_counter()
            serve(text=tf.constant(texts))["translation"].numpy()
            seconds.append(time.perf_counter() - started)
    steady = seconds[2:]
    tokens = ROWS * TARGET
    return Result(
        f"translation of {ROWS} sentences, string to string, beam {beam_size}",
        tokens / statistics.median(steady),
        unit=" tokens/s",
        floor=1.2 * MARIAN[beam_size],
        details=f"fastest {tokens / min(steady):.0f}; on two such cores MarianMT "
        f"{MARIAN[beam_size]}, CTranslate2 {CTRANSLATE2[beam_size]}",
    )


def _exported(folder: Path, beam_size: int) -> tuple[Path, list[str]]:
    """An untrained model whose translations have 20 tokens each, and sentences of 16."""
    import tensorflow as tf

    from apps.translation.config import TranslateConfig
    from apps.translation.serving import TranslatorServing
    from shared.engine import config as configs
    from shared.engine.export import export
    from shared.engine.run import Run
    from shared.engine.verbs import load_app

    app = load_app(APP)
    options = {"model.dropout": 0.0, "decoding.beam_size": beam_size}
    config = configs.resolve(TranslateConfig, options)
    tokenizer, texts = _tokenizer_and_texts()
    run = Run(config, folder / "run", _sizes(tokenizer.source.vocabulary_size))
    (folder / "run").mkdir()
    configs.save(config, folder / "run" / "config.yaml")
    model = app.build(run)
    model.limits = lambda source: tf.fill([tf.shape(source)[0]], TARGET)
    serving = TranslatorServing(model, tokenizer, config, ("en", "de"), texts[:2])
    app.serving = lambda run, model: {"": serving}
    return export(app, run, model, folder / "saved_models", name="bench")[""], texts


def _sizes(vocabulary: int) -> dict:
    return {"source_vocabulary": vocabulary, "target_vocabulary": vocabulary}


def _tokenizer_and_texts():
    """A vocabulary of 8,000 made-up words, and sentences of 15 of them (and the end)."""
    from apps.translation.data import Tokenizers
    from shared.text.subword_tokenizer import SubwordTokenizer, train_tokenizer

    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = sorted({"".join(generator.choice(letters, 6)) for _ in range(VOCABULARY - 300)})
    tokenizer = SubwordTokenizer(train_tokenizer([" ".join(words)] * 3, "word", VOCABULARY))
    texts = [" ".join(generator.choice(words, SOURCE - 1)) for _ in range(ROWS)]
    assert all(len(row) == SOURCE - 1 for row in tokenizer(texts).to_list())
    return Tokenizers(tokenizer, tokenizer), texts


def training() -> Result:
    """Target tokens a second of whole optimiser steps, batches of 128 pairs."""
    import tensorflow as tf

    from apps.translation.config import TranslateConfig
    from apps.translation.pairs.encoded_pairs import EncodedPairs
    from shared.engine import config as configs
    from shared.engine.run import Run
    from shared.engine.train_step import build_train_step, prepare_optimizer
    from shared.engine.verbs import load_app

    app = load_app(APP)
    run = Run(configs.resolve(TranslateConfig, {}), Path("."), _sizes(VOCABULARY))
    model = app.build(run)
    prepare_optimizer(model)
    spec = EncodedPairs.batch_spec()
    step = build_train_step(model, run.strategy, run.config.optimization, batch_spec=spec)
    generator = np.random.default_rng(0)
    seconds = []
    for _ in range(12):
        source, target = (
            tf.constant(generator.integers(4, VOCABULARY, (TRAINING_ROWS, length)), tf.int32)
            for length in (SOURCE, TARGET)
        )
        labels = {"labels": target, "index": tf.range(TRAINING_ROWS)}
        started = time.perf_counter()
        float(step(({"source": source, "target": target}, labels))["loss"][0])
        seconds.append(time.perf_counter() - started)
    steady = seconds[2:]
    tokens = TRAINING_ROWS * TARGET
    return Result(
        f"training of translation, batches of {TRAINING_ROWS}",
        tokens / statistics.median(steady),
        unit=" tokens/s",
        floor=1.5 * MARIAN_TRAINING,
        details=f"fastest {tokens / min(steady):.0f}; MarianMT on two such cores {MARIAN_TRAINING}",
    )
