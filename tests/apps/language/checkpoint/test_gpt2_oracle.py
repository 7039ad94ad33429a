"""Against PyTorch and transformers themselves (`pip install -e '.[oracle]'`), both ways."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from apps.language.app import LanguageApp
from shared.engine.run import load_best, open_run
from tests.apps.language.checkpoint.random_gpt2 import CONFIG, WORDS, write_gpt2
from tests.apps.language.test_lm_app import expect
from tests.in_process import run_command

# PyTorch's compiler, which is not used here: its library ends a process that has TensorFlow's.
sys.modules.setdefault("triton", None)
torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `oracle`)")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed (extra `oracle`)"
)
TEXTS = ["in the other house", " the\n\n Über 猫, don't", "🍕  they'll\t123"]


@pytest.mark.parametrize("activation", ["gelu_new", "gelu"])
def test_both_ways(tmp_path, activation):
    torch.manual_seed(0)
    names = (name for name in CONFIG if name not in ("model_type", "architectures"))
    settings = {name: CONFIG[name] for name in names} | {"activation_function": activation}
    config = transformers.GPT2Config(**settings, initializer_range=0.3)
    theirs = transformers.GPT2LMHeadModel(config).eval()
    folder = write_gpt2(tmp_path / "in")
    theirs.save_pretrained(folder)
    expect(run_command("lm", "import", folder, "--output", tmp_path / "run"))
    app = LanguageApp()
    run = open_run(app, tmp_path / "run")
    model, order = load_best(app, run), app.tokenizer.order
    tokens = np.random.default_rng(0).integers(0, WORDS, (3, 20))
    with torch.no_grad():
        expected = theirs(torch.tensor(tokens), output_hidden_states=True)
    hidden = model.hidden_states(np.argsort(order)[tokens].astype(np.int32))
    np.testing.assert_allclose(hidden, expected.hidden_states[-1], atol=1e-4, rtol=0)
    logits = np.asarray(model.logits(hidden))
    np.testing.assert_allclose(logits, expected.logits.numpy()[..., order], atol=1e-4, rtol=0)

    expect(run_command("lm", "export-hf", tmp_path / "run", "--output", tmp_path / "out"))
    again = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        assert torch.equal(again(torch.tensor(tokens)).logits, expected.logits)
    tokenizer = transformers.GPT2TokenizerFast.from_pretrained(tmp_path / "out")
    assert tokenizer.eos_token_id == WORDS - 1 == again.config.eos_token_id
    for text in TEXTS:
        ours = app.tokenizer(tf.constant([text.encode()])).numpy()[0]
        assert tokenizer(text)["input_ids"] == order[ours].tolist()
