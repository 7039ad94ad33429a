"""Speed of translation against MarianMT: raw strings through the SavedModel, and training."""

import tempfile
from pathlib import Path

import numpy as np

from tests.bench.measure import Result, layers_in, median_seconds
from tests.bench.pytorch import beside, figure, need_pytorch

APP = "apps.translation.app:TranslateApp"
# Three blocks of width 256, 8,000 subwords, 16 source and 20 target tokens, as the references.
ROWS, SOURCE, TARGET, VOCABULARY = 32, 16, 20, 8000
SIZES = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
OTHERS = 260  # Bytes and special tokens in a vocabulary of words.
TRAINING_ROWS = 128
# Tokens a second on two such cores: Hugging Face's MarianMT in PyTorch, for where there is none,
# and CTranslate2 in float32, for orientation.
MARIAN = {1: 5400, 4: 1800}
CTRANSLATE2 = {1: 5000, 4: 2800}
MARIAN_TRAINING = 3000
FASTER, FASTER_TRAINING = 1.2, 1.5


def greedy() -> Result:
    return _decoding(1)


def beam() -> Result:
    return _decoding(4)


def _decoding(beam_size: int) -> Result:
    """Target tokens a second from raw strings to raw strings, in batches of 32."""
    with tempfile.TemporaryDirectory() as name:
        path, texts = _exported(Path(name), beam_size)
        rate, measured = beside(
            lambda: _decoding_rate(path, texts),
            "marian",
            task="decoding",
            rows=ROWS,
            beam_size=beam_size,
            **_marian_shape(),
        )
    return _ratio(
        f"translation of {ROWS} sentences, string to string, beam {beam_size}",
        rate,
        figure(measured, "rate", MARIAN[beam_size]),
        FASTER,
        f"; CTranslate2 on two such cores {CTRANSLATE2[beam_size]}",
    )


def _decoding_rate(saved_model: Path, texts: list[str]) -> float:
    import tensorflow as tf

    module = tf.saved_model.load(str(saved_model))
    serve = module.signatures["serving_default"]
    # A call takes a tenth of a second: many, so that a moment of other work does not matter.
    seconds = median_seconds(lambda: serve(text=tf.constant(texts))["translation"].numpy(), runs=40)
    return ROWS * TARGET / seconds


def _marian_shape() -> dict[str, int]:
    """Lengths and network of the reference: the same as ours."""
    from apps.translation.config import TranslateConfig
    from shared.common import config as configs

    model = configs.resolve(TranslateConfig, {}).model
    names = ("num_layers", "hidden_dim", "num_heads", "intermediate_dim")
    lengths = {"source": SOURCE, "target": TARGET, "vocabulary": VOCABULARY}
    return lengths | {name: getattr(model, name) for name in names}


def _ratio(
    name: str, rate: float, marian: tuple[float, str], floor: float, details: str = ""
) -> Result:
    theirs, whose = marian
    return Result(
        f"{name}, suite / MarianMT",
        rate / theirs,
        floor=floor,
        details=f"{rate:.0f} and {theirs:.0f} tokens/s ({whose}){details}",
    )


def _exported(folder: Path, beam_size: int) -> tuple[Path, list[str]]:
    """An untrained model whose translations have 20 tokens each, and sentences of 16."""
    import tensorflow as tf

    from apps.translation.config import TranslateConfig
    from apps.translation.languages import Languages
    from apps.translation.serving import TranslatorServing
    from shared.common import config as configs
    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.saved_model.export import export

    app = load_app(APP)
    options = {"model.dropout": 0.0, "decoding.beam_size": beam_size}
    config = configs.resolve(TranslateConfig, options)
    tokenizer, texts = _tokenizer_and_texts()
    run = Run(config, folder / "run", SIZES)
    (folder / "run").mkdir()
    configs.save(config, folder / "run" / "config.yaml")
    model = app.build(run)
    model.limits = lambda source: tf.fill([tf.shape(source)[0]], TARGET)
    serving = TranslatorServing(model, tokenizer, config, Languages("en", "de"), texts[:2])
    app.serving = lambda run, model: {"": serving}
    return export(app, run, model, folder / "saved_models", name="bench")[""], texts


def _tokenizer_and_texts():
    """A vocabulary of 8,000 made-up words, and sentences of 15 of them (and the end)."""
    from apps.translation.data import Tokenizers
    from shared.text.subword_tokenizer import SubwordTokenizer, train_tokenizer

    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = sorted({"".join(generator.choice(letters, 6)) for _ in range(VOCABULARY - OTHERS)})
    tokenizer = SubwordTokenizer(train_tokenizer([" ".join(words)] * 3, "word", VOCABULARY))
    assert tokenizer.vocabulary_size == VOCABULARY
    texts = [" ".join(generator.choice(words, SOURCE - 1)) for _ in range(ROWS)]
    assert all(len(row) == SOURCE - 1 for row in tokenizer(texts).to_list())
    return Tokenizers(tokenizer, tokenizer), texts


def training() -> Result:
    return _training("float32")


def training_bfloat16() -> Result:
    need_pytorch()
    return _training("bfloat16")


def _training(precision: str) -> Result:
    """Target tokens a second of whole optimiser steps, batches of 128 pairs."""
    from apps.translation.config import TranslateConfig
    from shared.common import config as configs

    config = configs.resolve(TranslateConfig, {})
    with layers_in(precision):
        rate, measured = beside(
            lambda: _training_rate(config),
            "marian",
            task="training",
            rows=TRAINING_ROWS,
            dropout=config.model.dropout,
            label_smoothing=config.loss.label_smoothing,
            precision=precision,
            **_marian_shape(),
        )
    marian = figure(measured, "rate", MARIAN_TRAINING)
    name = f"training of translation, batches of {TRAINING_ROWS}, {precision}"
    return _ratio(name, rate, marian, FASTER_TRAINING)


def _training_rate(config) -> float:
    import tensorflow as tf

    from apps.translation.pairs.encoded_pairs import EncodedPairs
    from shared.engine.load_app import load_app
    from shared.engine.run import Run
    from shared.engine.training.cpu_data_parallel import enable_cpu_data_parallel
    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    app = load_app(APP)
    run = Run(
        config,
        Path("."),
        SIZES,
        cpu_data_parallel=enable_cpu_data_parallel(config, app.independent_rows),
    )
    model = app.build(run)
    prepare_optimizer(model)
    spec = EncodedPairs.batch_spec()
    step = build_train_step(
        model,
        run.strategy,
        run.config.optimization,
        batch_spec=spec,
        cpu_data_parallel=run.cpu_data_parallel,
    )
    generator = np.random.default_rng(0)
    source, target = (
        tf.constant(generator.integers(4, VOCABULARY, (TRAINING_ROWS, length)), tf.int32)
        for length in (SOURCE, TARGET)
    )
    labels = {"labels": target, "index": tf.range(TRAINING_ROWS)}
    batch = {"source": source, "target": target}, labels
    return TRAINING_ROWS * TARGET / median_seconds(lambda: float(step(batch)["loss"][0]), runs=10)
