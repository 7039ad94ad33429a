"""Speed of BERT: raw strings to probabilities, training steps, and how much a TinyBERT gains.

The references are PyTorch with transformers of the same shapes, measured beside ours. Where there
is none the figures of two such cores stand for them: sequences of 128 tokens a second, inference
at batch 8 and training at batch 16.
"""

import tempfile
from pathlib import Path

import numpy as np

from tests.bench.arithmetic import described, encoder_operations
from tests.bench.measure import Result, in_turn, layers_in, median_seconds
from tests.bench.pytorch import beside, figure, need_pytorch

LENGTH, WORDS = 128, 30522
SHAPES = {
    "base": {"num_layers": 12, "hidden_dim": 768, "num_heads": 12, "intermediate_dim": 3072},
    "minilm": {"num_layers": 6, "hidden_dim": 384, "num_heads": 12, "intermediate_dim": 1536},
    "tinybert4": {"num_layers": 4, "hidden_dim": 312, "num_heads": 12, "intermediate_dim": 1200},
}
TORCH_INFERENCE = {"base": 9.4, "minilm": 70.0, "tinybert4": 143.0}
TORCH_TRAINING = {"base": 2.2, "minilm": 18.0, "tinybert4": 36.0}
FASTER = 1.5
BATCHES, TRAINING_BATCH = (8, 32), 16
TRAINING_PASSES = 3  # Forward, and the gradients of the inputs and of the weights.


def inference_base() -> Result:
    return _inference("base")


def inference_minilm() -> Result:
    return _inference("minilm")


def inference_tinybert() -> Result:
    return _inference("tinybert4")


def training_base() -> Result:
    return _training("base")


def training_minilm() -> Result:
    return _training("minilm")


def training_tinybert() -> Result:
    return _training("tinybert4")


def inference_bfloat16() -> Result:
    need_pytorch()
    return _inference("minilm", "bfloat16")


def training_bfloat16() -> Result:
    need_pytorch()
    return _training("minilm", "bfloat16")


def _inference(shape: str, precision: str = "float32") -> Result:
    """Sequences a second from raw strings, batches of 8 and of 32; the ratio is of 8."""
    with layers_in(precision):
        rates, measured = _beside(
            lambda: _inference_rates(shape), "inference", BATCHES, shape, precision
        )
    theirs, whose = figure(measured, "8", TORCH_INFERENCE[shape])
    larger = f", {measured['32']:.1f} at 32" if measured else ""
    return Result(
        f"BERT {shape}, {LENGTH} tokens, {precision}, raw strings, batch 8, suite / PyTorch",
        rates[8] / theirs,
        floor=FASTER,
        details=f"{rates[8]:.1f} sequences/s at batch 8, {rates[32]:.1f} at 32; {whose} "
        f"{theirs:.1f}{larger}{_arithmetic(shape, 1, rates[8], theirs, precision)}",
    )


def _training(shape: str, precision: str = "float32") -> Result:
    """Sequences a second of whole optimiser steps, batches of 16."""
    batches = (TRAINING_BATCH,)
    with layers_in(precision):
        rate, measured = _beside(
            lambda: _training_rate(shape), "training", batches, shape, precision
        )
    theirs, whose = figure(measured, str(TRAINING_BATCH), TORCH_TRAINING[shape])
    return Result(
        f"BERT {shape}, {LENGTH} tokens, {precision}, training, batch {TRAINING_BATCH}, "
        "suite / PyTorch",
        rate / theirs,
        floor=FASTER,
        details=f"{rate:.1f} sequences/s; {whose} {theirs:.1f}"
        f"{_arithmetic(shape, TRAINING_PASSES, rate, theirs, precision)}",
    )


def _beside(measure, task: str, batches: tuple[int, ...], shape: str, precision: str):
    sizes = {"length": LENGTH, "vocabulary": WORDS, **SHAPES[shape]}
    return beside(measure, "bert", task=task, batches=batches, precision=precision, **sizes)


def _arithmetic(shape: str, passes: int, rate: float, theirs: float, precision: str) -> str:
    if precision != "float32":
        return ""
    operations = passes * encoder_operations(LENGTH, **SHAPES[shape])
    return f"; {described(operations, rate, FASTER * theirs)}"


def _inference_rates(shape: str) -> dict[int, float]:
    import tensorflow as tf

    serve, texts = _serving(shape)
    rates = {}
    for rows in BATCHES:
        text = tf.constant(texts[:rows])
        rates[rows] = rows / median_seconds(
            lambda text=text: serve(text=text)["probabilities"].numpy()
        )
    return rates


def _training_rate(shape: str) -> float:
    import tensorflow as tf

    from apps.bert.finetuning.app import FinetuneApp
    from apps.bert.finetuning.config import FinetuneConfig
    from shared.common import config as configs
    from shared.engine.training.cpu_data_parallel import enable_cpu_data_parallel
    from shared.engine.training.optimizer import build_optimizer
    from shared.engine.training.train_step import build_train_step, prepare_optimizer

    config = configs.resolve(FinetuneConfig, {})
    cpu_data_parallel = enable_cpu_data_parallel(config, FinetuneApp.independent_rows)
    model = _model(shape, dropout=0.1)
    model.compile(optimizer=build_optimizer(config.optimization, 1e-4, 100))
    prepare_optimizer(model)
    step = build_train_step(
        model,
        tf.distribute.get_strategy(),
        config.optimization,
        cpu_data_parallel=cpu_data_parallel,
    )
    generator = np.random.default_rng(0)
    rows = TRAINING_BATCH
    token_ids = tf.constant(generator.integers(5, WORDS, (rows, LENGTH)), tf.int32)
    x = {"token_ids": token_ids, "segment_ids": tf.zeros_like(token_ids)}
    batch = x, {"labels": tf.range(rows) % 2, "index": tf.range(rows)}
    return rows / median_seconds(lambda: float(step(batch)["loss"][0]))


def tinybert_gain() -> Result:
    """How much faster a TinyBERT of 4 layers is than BERT-base, in one run."""
    import tensorflow as tf

    calls, sizes = {}, {}
    for shape in ("base", "tinybert4"):
        serve, texts = _serving(shape)
        text = tf.constant(texts[:8])
        calls[shape] = lambda serve=serve, text=text: serve(text=text)["probabilities"].numpy()
        calls[shape]()
        sizes[shape] = _model(shape).count_params()
    seconds = in_turn(calls, 7)
    return Result(
        "TinyBERT-4 against BERT-base, raw strings",
        seconds["base"] / seconds["tinybert4"],
        floor=9.4,
        details=f"{sizes['base'] / sizes['tinybert4']:.2f} times fewer parameters "
        f"({sizes['base'] / 1e6:.1f} M and {sizes['tinybert4'] / 1e6:.1f} M; floor 7.5)",
    )


def _model(shape: str, dropout: float = 0.0):
    from apps.bert.encoder_config import EncoderConfig
    from apps.bert.finetuning.config import HeadConfig
    from apps.bert.finetuning.fine_tuner import FineTuner
    from shared.common.quiet import import_tensorflow

    import_tensorflow()
    encoder = EncoderConfig(**SHAPES[shape], dropout=dropout, attention_dropout=dropout)
    model = FineTuner(encoder, HeadConfig(), WORDS, "classification", 2)
    model.build()
    return model


def _serving(shape: str):
    """The signature of an untrained model, and texts of exactly 128 pieces."""
    import tensorflow as tf

    from apps.bert.finetuning.texts.serving import TextServing
    from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, WordPieceTokenizer

    words = [f"word{_letters(number)}" for number in range(WORDS - len(SPECIAL_TOKENS))]
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, *words], lowercase=True)
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(words, LENGTH - 2)) for _ in range(32)]
    assert tokenizer(tf.constant(texts)).row_lengths().numpy().tolist() == [LENGTH - 2] * 32
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels.txt"
        labels.write_text("a\nb\n")
        serving = TextServing(
            _model(shape), tokenizer, ["a", "b"], str(labels), LENGTH, texts[:1], paired=False
        )
    _, function = serving.signatures()["serving_default"]
    return tf.function(function), texts


def _letters(number: int) -> str:
    """A number in letters, because the tokenizer would cut figures from letters nowhere else."""
    text = ""
    while True:
        number, digit = divmod(number, 26)
        text += chr(97 + digit)
        if not number:
            return text
