"""GPT-2 checkpoints: numbers, there and back, use as a run, bad folders."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from apps.language.app import LanguageApp
from apps.language.checkpoint.gpt2 import read_checkpoint
from apps.language.corpus import Piece
from apps.language.token_stream import TextSize, encode
from apps.language.tools import shown
from shared.engine.run import load_best, open_run
from shared.text.special_tokens import END
from tests.apps.language.checkpoint.numpy_gpt2 import NumpyGpt2
from tests.apps.language.checkpoint.random_gpt2 import (
    CONFIG,
    HEADS,
    LAYERS,
    NAMES,
    POSITIONS,
    WORDS,
    gpt2_tensors,
    write_gpt2,
)
from tests.apps.language.test_lm_app import error_of, expect, rows_of
from tests.in_process import run_command
from tests.shared.common.hub_server import MODEL, serving

TEXT = "in the other house\n\n the Über 猫"


def imported(folder, output):
    done = expect(run_command("lm", "import", folder, "--output", output))
    app = LanguageApp()
    run = open_run(app, output)
    return done, app.tokenizer, load_best(app, run)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    write_gpt2(folder / "in")
    done, tokenizer, model = imported(folder / "in", folder / "run")
    return folder / "run", done, tokenizer, model


@pytest.fixture(scope="module")
def truth():
    return NumpyGpt2(gpt2_tensors(), LAYERS, HEADS)


def ids(tokenizer, text):
    return tokenizer(tf.constant([text.encode()])).numpy()[0]


# === Numbers ===


def assert_same_logits(tokenizer, model, truth):
    tokens = np.random.default_rng(1).integers(0, WORDS, (2, POSITIONS))
    ours = np.argsort(tokenizer.order)[tokens].astype(np.int32)
    hidden = np.asarray(model.hidden_states(ours))
    logs = tf.nn.log_softmax(model.logits(hidden)).numpy()
    for row, theirs in enumerate(tokens):
        np.testing.assert_allclose(hidden[row], truth.hidden(theirs), atol=1e-4)
        expected = truth.log_probabilities(theirs)[:, tokenizer.order]
        np.testing.assert_allclose(logs[row], expected, atol=1e-4)


def test_hidden_states_and_probabilities(run, truth):
    _, done, tokenizer, model = run
    assert_same_logits(tokenizer, model, truth)
    assert "2 layers, 16 wide, 4 heads, 24 positions, " in done.stdout
    assert f"{WORDS} byte-level tokens" in done.stdout and "Left out" not in done.stdout


@pytest.mark.parametrize(
    ("prefix", "tied", "changes"),
    [
        ("", True, {"activation_function": "gelu", "layer_norm_epsilon": 1e-2}),
        ("transformer.", False, {"activation_function": "relu", "tie_word_embeddings": False}),
    ],
)
def test_other_names_and_settings(tmp_path, prefix, tied, changes):
    tensors = gpt2_tensors(prefix, tied)
    truth = NumpyGpt2(
        tensors, LAYERS, HEADS, changes["activation_function"],
        changes.get("layer_norm_epsilon", 1e-5),
    )  # fmt: skip
    # Masks, which old files have, and a tensor of something else.
    masks = {f"{prefix}h.0.attn.bias": np.ones((1, 1, 4, 4), np.float32)}
    other = {"v_head.weight": np.zeros(3, np.float32)}
    write_gpt2(tmp_path / "in", tensors | masks | other, **changes)
    done, tokenizer, model = imported(tmp_path / "in", tmp_path / "run")
    assert "Left out: v_head.weight" in done.stdout
    assert_same_logits(tokenizer, model, truth)
    expect(run_command("lm", "export-hf", tmp_path / "run", "--output", tmp_path / "out"))
    found = load_file(tmp_path / "out" / "model.safetensors")
    named = {n if n == "lm_head.weight" else f"transformer.{n.removeprefix(prefix)}": t
             for n, t in tensors.items()}  # fmt: skip
    assert found.keys() == named.keys()
    for name, tensor in named.items():
        np.testing.assert_array_equal(found[name], tensor)
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    assert written | changes == written and written["tie_word_embeddings"] is tied


def test_every_bit_comes_back(run, tmp_path):
    expect(run_command("lm", "export-hf", run[0], "--output", tmp_path / "out"))
    found = load_file(tmp_path / "out" / "model.safetensors")
    for name, tensor in gpt2_tensors().items():
        np.testing.assert_array_equal(found.pop(name), tensor)
    assert not found
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config | CONFIG == config
    numbers = json.loads((tmp_path / "out" / "vocab.json").read_text())
    assert numbers == {name: number for number, name in enumerate(NAMES)}
    assert "exists already" in error_of("export-hf", run[0], "--output", tmp_path / "out")
    assert "exists already" in error_of("import", tmp_path / "out", "--output", tmp_path / "out")


def test_shards(run, tmp_path):
    tensors = gpt2_tensors()
    folder = write_gpt2(tmp_path / "in")
    (folder / "model.safetensors").unlink()
    files = {n: f"model-{1 + k % 2:05}-of-00002.safetensors" for k, n in enumerate(tensors)}
    for file in set(files.values()):
        save_file({n: t for n, t in tensors.items() if files[n] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    _, _, model = imported(folder, tmp_path / "run")
    for ours, theirs in zip(model.weights, run[3].weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# === Tokens ===


def test_tokens_move_up_and_come_back(run):
    tokenizer = run[2]
    tokens = ids(tokenizer, TEXT)
    assert tokenizer.order[END] == WORDS - 1
    assert [NAMES[n] for n in tokenizer.order[tokens]][:4] == ["in", "Ġthe", "Ġ", "o"]
    assert min(tokens) > END and sorted(tokenizer.order) == list(range(WORDS))
    text = tokenizer.detokenize(tf.constant([[*tokens, END, tokens[0]]], tf.int32))
    assert text[0].numpy().decode() == TEXT
    assert "".join(tokenizer.spellings(tokens[:13])) == "in the other house\n\n"
    # Half a character.
    (half,) = tokenizer.detokenize(tf.constant([tokens[-1:]], tf.int32)).numpy()
    assert half.decode() == "\ufffd"


def test_lines_may_be_tokenised_apart(run):
    """As a text is read in pieces, with blanks and empty lines at their ends."""
    text = "in\n\n\n the other\n  \n\nthe in \n\u3000\nher\n\n"
    lines = [Piece(line) for line in text.splitlines(keepends=True)]
    rows = list(encode(lines, run[2], TextSize()))
    assert np.concatenate(rows).tolist() == [END, *ids(run[2], text)]
    ended = list(encode([Piece("in\n"), Piece("\n", True), Piece(" the")], run[2], TextSize()))
    expected = [END, *ids(run[2], "in\n\n"), END, *ids(run[2], " the")]
    assert np.concatenate(ended).tolist() == expected


# === Use ===


def greedy(truth, tokenizer, prompt, count):
    """The likeliest tokens behind a prompt one by one, each computed from all before it."""
    tokens = [WORDS - 1, *tokenizer.order[ids(tokenizer, prompt)]]
    first, never = len(tokens), tokenizer.order[:END]
    while len(tokens) < first + count and (len(tokens) == first or tokens[-1] != WORDS - 1):
        logs = truth.log_probabilities(tokens)[-1]
        logs[never] = -np.inf
        tokens.append(int(logs.argmax()))
    return np.argsort(tokenizer.order)[tokens[first:]].tolist()


def log_probabilities(truth, tokenizer, text, ends=False):
    """Of each token of a text."""
    tokens = [WORDS - 1, *tokenizer.order[ids(tokenizer, text)], *[WORDS - 1] * ends]
    return truth.log_probabilities(tokens)[np.arange(len(tokens) - 1), tokens[1:]]


def test_steps_with_a_cache_write_what_whole_texts_say(run, truth):
    _, _, tokenizer, model = run
    prompts = tokenizer(tf.constant(["in the", "", "the other"]))
    seeds = tf.zeros([3, 2], tf.int64)
    found = tf.function(lambda: model.write(prompts, seeds, 9, top_k=1).tokens[:, 0])().numpy()
    for row, prompt in zip(found.tolist(), ("in the", "", "the other"), strict=True):
        expected = greedy(truth, tokenizer, prompt, 9)
        assert row[: len(expected)] == expected


def test_a_text_is_evaluated_as_the_truth_does(run, truth, tmp_path):
    folder, _, tokenizer, _ = run
    (tmp_path / "b.txt").write_text("in the\n")
    expect(run_command("lm", "evaluate", folder, tmp_path / "b.txt"))
    logs = log_probabilities(truth, tokenizer, "in the\n", ends=True)
    metrics = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert metrics["loss"] == pytest.approx(-logs.mean(), abs=1e-4)
    assert math.isfinite(metrics["bits_per_byte"])
    assert "was imported and has no text of its own" in error_of("evaluate", folder)


WITH_TENSORFLOW_ALONE = """
import sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
options = {"max_tokens": tf.constant(6), "top_k": tf.constant(1)}
found = loaded.signatures["with_options"](
    prompt=tf.constant([sys.argv[2]]), seed=tf.constant([1], tf.int64),
    temperature=tf.constant(0.0), top_p=tf.constant(1.0), **options,
)
assert not {"tensorflow_text", "shared", "apps"} & set(sys.modules)
sys.stdout.buffer.write(found["text"][0].numpy())
"""


@pytest.mark.slow
def test_the_exported_model_writes_and_scores_as_the_truth_does(run, truth, tmp_path):
    folder, _, tokenizer, _ = run
    text = tokenizer.detokenize(tf.constant([greedy(truth, tokenizer, "in the", 6)], tf.int32))
    text = text[0].numpy().decode()
    done = expect(run_command(
        "lm", "sample", folder, "--prompt", "in the", "--temperature", 0, "--samples", 1,
        "--max-tokens", 6,
    ))  # fmt: skip
    assert text and done.stdout == f"{shown('in the' + text)}\n"
    (export,) = folder.glob("export/**/saved_model.pb")
    alone = subprocess.run(
        [sys.executable, "-c", WITH_TENSORFLOW_ALONE, export.parent, "in the"],
        capture_output=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert alone.stdout.decode() == text
    (tmp_path / "a.txt").write_text("in the other house")
    expect(run_command("lm", "score", folder, tmp_path / "a.txt", "--output", tmp_path / "out"))
    logs = log_probabilities(truth, tokenizer, "in the other house")
    (row,) = rows_of(tmp_path / "out")
    assert row["log_probability"] == pytest.approx(logs.sum(), abs=1e-3)
    assert row["tokens"] == len(logs)


def test_an_imported_model_is_trained_further(run, tmp_path):
    """With shorter windows; its tokens and network come along, and so does its last token."""
    (tmp_path / "text.txt").write_text("in the other house the other.\n" * 30)
    common = ("train", tmp_path / "text.txt", "--preset", "test", "--init", run[0])
    done = expect(run_command(
        "lm", *common, "--epochs", 1, "--sequence-length", 8, "--learning-rate", 1e-6,
        "--num-layers", 3, "--output", tmp_path / "run",
    ))  # fmt: skip
    said = " ".join(done.stderr.split())
    assert "its 24 positions the first 8 are used" in said and "untrained" not in said
    assert "not used: --num-layers 3 (it has 2)" in said
    expect(run_command("lm", "export-hf", tmp_path / "run", "--output", tmp_path / "out"))
    found, before = load_file(tmp_path / "out" / "model.safetensors"), gpt2_tensors()
    before["transformer.wpe.weight"] = before["transformer.wpe.weight"][:8]
    for name, tensor in before.items():
        np.testing.assert_allclose(found[name], tensor, atol=1e-3)
    assert any((found[name] != before[name]).any() for name in before)
    error = error_of(*common, "--sequence-length", 32, "--output", tmp_path / "longer")
    assert error.startswith("--sequence-length 32: the model of --init")


def test_other_runs_are_no_gpt2(run, tmp_path):
    text = (run[0] / "config.yaml").read_text()
    for old, new, message in (
        ("positions: learned", "positions: rotary", "has rotary positions, not learned ones"),
        ("architecture: transformer", "architecture: lstm", "the architecture lstm, not transf"),
    ):
        folder = tmp_path / new.split()[1]
        folder.mkdir()
        for file in run[0].iterdir():
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
        (folder / "config.yaml").write_text(text.replace(old, new))
        assert message in error_of("export-hf", folder, "--output", tmp_path / "out")
    (tmp_path / "text.txt").write_text("ab" * 99)
    error = error_of("train", tmp_path / "text.txt", "--preset", "test", "--vocabulary",
                     "byte-bpe", "--output", tmp_path / "new")  # fmt: skip
    assert error.startswith("--vocabulary byte-bpe: comes with the model that --init names")


# === Bad folders ===


def _config(**changes):
    return lambda folder: (folder / "config.json").write_text(json.dumps(CONFIG | changes))


def _tensors(**changes):
    def change(folder):
        tensors = gpt2_tensors()
        for name, tensor in changes.items():
            tensors.pop(f"transformer.{name}.weight")
            if tensor is not None:
                tensors[f"transformer.{name}.weight"] = np.asarray(tensor, np.float32)
        save_file(tensors, folder / "model.safetensors")

    return change


def _only_a_pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_config(model_type="llama"), 'config.json: model_type "llama" is not supported; give a c'),
        (_config(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx true is"),
        (_config(activation_function="silu"), 'activation_function "silu" is not supported'),
        (_config(n_layer="12"), 'n_layer is "12", not a number from 1 to 1,000'),
        (_config(n_positions=None), "n_positions is null, not a number from 2"),
        (_config(n_head=5), "16 dimensions do not divide by 5 heads"),
        (_config(eos_token_id=WORDS), f"eos_token_id is {WORDS}, not one of the {WORDS} tokens"),
        (
            _config(vocab_size=200, eos_token_id=199),
            f"vocab.json: has {WORDS} tokens, the model only 200",
        ),
        (_config(n_embd=32), "has the shape (264, 16) instead of (264, 32); its configuration"),
        (_tensors(wpe=None), "the tensor 'wpe.weight' is missing; the checkpoint is incomplete"),
        (_tensors(ln_f=[np.nan] * 16), "the tensor 'ln_f.weight' has values that are not finite"),
        (_only_a_pickle, "pytorch_model.bin: is a pickle, and loading one can run any code"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no weights; model.safetens"),
        (lambda folder: (folder / "config.json").unlink(), "has no config.json; fetch it too"),
        (lambda folder: (folder / "config.json").write_text("[]"), "holds no JSON object"),
        (lambda folder: (folder / "merges.txt").unlink(), "has neither vocab.json and merges.txt"),
    ],
)
def test_bad_folders(tmp_path, change, message):
    change(write_gpt2(tmp_path / "in"))
    assert message in error_of("import", tmp_path / "in", "--output", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_folder(tmp_path):
    (tmp_path / "a.bin").touch()
    for name, message in (
        ("a.bin", "a.bin: is a pickle"),
        ("none", "none: no such folder; give hf:ORG/NAME or a checkpoint's folder"),
    ):
        assert message in error_of("import", tmp_path / name, "--output", tmp_path / "run")
    assert "is no name on the Hub" in error_of("import", "hf:a/b/c", "--output", tmp_path / "run")


def test_from_the_hub(tmp_path, monkeypatch):
    """Only the files that are needed are fetched, above all no pickle."""
    folder = write_gpt2(tmp_path / "served")
    for name in ("pytorch_model.bin", "README.md", "tf_model.h5"):
        (folder / name).write_bytes(b"not wanted")
    with serving(folder, tmp_path / "cache", monkeypatch) as server:
        checkpoint = read_checkpoint(f"hf:{MODEL}")
    wanted = ["README.md", "config.json", "merges.txt", "model.safetensors", "vocab.json"]
    assert sorted(server.fetched) == wanted
    assert checkpoint.vocabulary.names == NAMES
    np.testing.assert_array_equal(
        checkpoint.tensors["wte.weight"], gpt2_tensors()["transformer.wte.weight"]
    )
