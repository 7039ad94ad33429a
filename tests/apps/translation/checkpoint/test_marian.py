"""Marian checkpoints: numbers, there and back, use as a run, bad folders."""

import json

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from apps.translation.app import TranslateApp
from apps.translation.checkpoint.marian import read_checkpoint
from shared.engine.run import load_best, open_run
from shared.samples.numbers_en_zh import chinese, english
from shared.text.special_tokens import END, PAD, START
from tests.apps.translation.checkpoint.random_marian import (
    CODE,
    config,
    marian_tensors,
    names,
    write_marian,
)
from tests.in_process import run_command
from tests.shared.common.hub_server import MODEL, serving

# Some with a language, with characters of the other side, or of none.
SENTENCES = [
    "twenty-three thousand and four",
    f"{CODE} one hundred",
    f"{CODE}two",
    "two >>cmn<< three",
    "一百 and 二 ☃☃ ☃ 🍕",
    "  many   blanks\tand \u0001 controls\u3000 ",
    "１２ ﬁve",
    "",
]
# Of the first eight tokens behind the first sentence, computed by transformers' MarianMTModel.
LOGITS = [2.506497, 1.020856, 0.898264, -0.715288, 1.158615, 0.858412, 0.30092, -0.227724]


def expect(done, code=0):
    assert done.returncode == code, done.stdout + done.stderr
    return done


def error_of(*arguments, code=1):
    done = expect(run_command("translate", *arguments), code)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("kerasuite: ")]
    return line.removeprefix("kerasuite: ")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marian")
    write_marian(folder / "in")
    done = expect(run_command("translate", "import", folder / "in", "--output", folder / "run"))
    app = TranslateApp()
    return folder / "run", done, app, load_best(app, open_run(app, folder / "run"))


def test_logits(run):
    """Those of PyTorch; the token that begins a translation is none of its words."""
    _, done, app, model = run
    order = app.tokenizers.target.vocabulary.order
    source = app.tokenizers.source(tf.constant(SENTENCES[:1])).to_tensor()
    source = np.concatenate([source, [[END]]], axis=1)
    logits = np.asarray(model({"source": source, "target": np.array([[START]])}))[0, 0]
    assert tf.nn.softmax(logits)[START] < 1e-30
    rows = np.argsort(order[np.arange(len(order)) != START])
    found = np.delete(logits, START)[rows]
    np.testing.assert_allclose(found[:8], LOGITS, atol=1e-4)
    assert "en to zh, 2 and 1 layers, 16 wide, 2 heads" in done.stdout
    assert "Left out" not in done.stdout


def test_tokens(run):
    tokenizer = run[2].tokenizers.source
    found = tokenizer(tf.constant(SENTENCES))
    spelled = [tokenizer.pieces(row) for row in found.to_list()]
    assert spelled[1][0] == spelled[2][0] == CODE and CODE not in spelled[3]
    # A token that only the vocabulary has, and one that nothing has.
    assert "☃" in spelled[4] and "<unk>" in spelled[4] and spelled[-1] == []
    assert tokenizer.piece_strings(found[0]).numpy().tolist() == [
        name.encode() for name in spelled[0]
    ]
    target = run[2].tokenizers.target
    text = chinese(4321)
    tokens = target(tf.constant([text])).to_tensor()
    ended = tf.concat([[[START]], tokens, [[END, 9, 9]]], axis=1)
    assert target.detokenize(ended).numpy()[0].decode() == text


def test_every_bit_comes_back(run, tmp_path):
    expect(run_command("translate", "export-hf", run[0], "--output", tmp_path / "out"))
    found = load_file(tmp_path / "out" / "model.safetensors")
    for name, tensor in marian_tensors().items():
        np.testing.assert_array_equal(found.pop(name), tensor)
    assert not found
    read = json.loads((tmp_path / "out" / "config.json").read_text())
    given = config()
    assert given.pop("num_beams") == 4 and read | given == read
    assert json.loads((tmp_path / "out" / "vocab.json").read_text()) == {
        name: number for number, name in enumerate(names())
    }
    for name in ("source.spm", "target.spm"):
        theirs = run[0].parent / "in" / name
        assert (tmp_path / "out" / name).read_bytes() == theirs.read_bytes()
    assert "exists already" in error_of("export-hf", run[0], "--output", tmp_path / "out")
    assert "exists already" in error_of("import", tmp_path / "out", "--output", tmp_path / "out")


@pytest.mark.slow
def test_it_translates_and_is_trained_further(run, tmp_path):
    folder, _, app, model = run
    texts = [english(number) for number in (5, 99, 1234)]
    (tmp_path / "a.txt").write_text("\n".join(texts) + "\n")
    expect(run_command("translate", "predict", folder, tmp_path / "a.txt", "--output",
                       tmp_path / "out"))  # fmt: skip
    source = app.tokenizers.source(tf.constant(texts))
    source = tf.concat([source, tf.fill([3, 1], END)], axis=1).to_tensor(PAD)
    expected = app.tokenizers.target.detokenize(model.translate(source, 4, 1.0).tokens[:, 0])
    found = (tmp_path / "out" / "translations" / "a.txt").read_text("utf-8").splitlines()
    assert found == [text.decode() for text in expected.numpy()] and any(found)
    assert "was imported and has no sentence pairs" in error_of("evaluate", folder)

    for side, of in (("en", english), ("zh", chinese)):
        lines = "".join(f"{of(number)}\n" for number in range(24))
        (tmp_path / f"train.{side}").write_text(lines, "utf-8")
    done = expect(run_command(
        "translate", "train", tmp_path, "--source", "en", "--target", "zh", "--preset", "test",
        "--init", folder, "--epochs", 1, "--learning-rate", 1e-12, "--output", tmp_path / "run",
    ))  # fmt: skip
    said = " ".join(done.stderr.split())
    assert "untrained" not in said and "brings its vocabulary and network; not used" in said
    expect(run_command("translate", "export-hf", tmp_path / "run", "--output", tmp_path / "hf"))
    found = load_file(tmp_path / "hf" / "model.safetensors")
    for name, tensor in marian_tensors().items():
        np.testing.assert_allclose(found[name], tensor, atol=1e-6)
    expect(run_command("translate", "evaluate", tmp_path / "run"))


# === Bad folders ===


def _config(**changes):
    return lambda folder: (folder / "config.json").write_text(json.dumps(config(**changes)))


def _without(name):
    return lambda folder: (folder / name).unlink()


def _tensors(**changes):
    def change(folder):
        tensors = marian_tensors() | changes
        kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        save_file(kept, folder / "model.safetensors")

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_config(model_type="bart"), 'model_type "bart" is not supported; give a checkpoint of'),
        (_config(scale_embedding=False), "scale_embedding false is not supported, only true"),
        (_config(decoder_ffn_dim=99), "decoder_ffn_dim 99 is not supported, only 24"),
        (_config(activation_function="gelu_new"), 'activation_function "gelu_new" is not supp'),
        (_config(encoder_layers=0), "encoder_layers is 0, not a number from 1 to"),
        (_config(encoder_attention_heads=3, decoder_attention_heads=3), "divide by 3 heads"),
        (_config(decoder_start_token_id=0), "decoder_start_token_id 0 is not supported"),
        (_config(eos_token_id=1), "but "),
        (_config(pad_token_id=999), "pad_token_id is 999, not one of the"),
        (_config(d_model=32), "has the shape (16, 16) instead of (32, 32); its configuration"),
        (_tensors(final_logits_bias=None), "the tensor 'final_logits_bias' is missing"),
        (_without("target.spm"), "has no target.spm; fetch it too"),
        (_without("vocab.json"), "has no vocab.json; fetch it too"),
        (lambda folder: (folder / "vocab.json").write_text("{}"), "has no token <pad>; fetch it"),
        (lambda folder: (folder / "source.spm").write_bytes(b"x"), "or no SentencePiece model"),
        (_without("config.json"), "has no config.json; fetch it too"),
    ],
)
def test_bad_folders(tmp_path, change, message):
    change(write_marian(tmp_path / "in"))
    assert message in error_of("import", tmp_path / "in", "--output", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_marian_vocabulary_is_learnt(tmp_path):
    for side in ("en", "zh"):
        (tmp_path / f"train.{side}").write_text("".join(f"{n} one\n" for n in range(20)))
    error = error_of("train", tmp_path, "--preset", "test", "--source", "en", "--target", "zh",
                     "--vocabulary", "marian", "--output", tmp_path / "run")  # fmt: skip
    assert error.startswith("--vocabulary marian: comes with the model that --init names")


def test_from_the_hub(tmp_path, monkeypatch):
    """Only the files that are needed are fetched, above all no pickle."""
    folder = write_marian(tmp_path / "served")
    for name in ("pytorch_model.bin", "README.md", "tf_model.h5"):
        (folder / name).write_bytes(b"not wanted")
    with serving(folder, tmp_path / "cache", monkeypatch) as server:
        checkpoint = read_checkpoint(f"hf:{MODEL}")
    assert sorted(server.fetched) == [
        "README.md", "config.json", "model.safetensors", "source.spm", "target.spm",
        "tokenizer_config.json", "vocab.json",
    ]  # fmt: skip
    assert checkpoint.vocabularies[0].names == list(names())
