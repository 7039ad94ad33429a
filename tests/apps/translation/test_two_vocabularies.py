"""A translator with a vocabulary for each language: trained, exported, loaded, as it was."""

import json
import subprocess
import sys

import pytest
import tensorflow as tf

from apps.translation.app import TranslateApp
from apps.translation.config import TranslateConfig
from shared.common import config as configs
from shared.engine.run import load_best, open_run
from shared.engine.saved_model.export import export
from shared.engine.training.train import train
from shared.samples.numbers_en_zh import chinese, english

TEXTS = ["twelve", "one hundred and five", "", "三百 and ☃", "ninety-nine thousand"]
ANSWER = """
import json, sys
import tensorflow as tf
import tensorflow_text

loaded = tf.saved_model.load(sys.argv[1])
found = loaded.signatures["serving_default"](text=tf.constant(json.loads(sys.argv[2])))
pieces = loaded.signatures["align"](text=tf.constant(["twelve"]), target=tf.constant(["十二"]))
print(json.dumps({
    "translation": [text.decode() for text in found["translation"].numpy()],
    "score": found["score"].numpy().tolist(),
    "source_pieces": [text.decode() for text in pieces["source_pieces"].numpy()[0]],
    "target_pieces": [text.decode() for text in pieces["target_pieces"].numpy()[0]],
    "ours": [name for name in sys.modules if name.partition(".")[0] in ("apps", "shared")],
}))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one epoch on two dozen numbers."""
    folder = tmp_path_factory.mktemp("two")
    for name, numbers in (("en", map(english, range(24))), ("zh", map(chinese, range(24)))):
        (folder / f"train.{name}").write_text("".join(f"{n}\n" for n in numbers), encoding="utf-8")
    given = {"data": (str(folder),), "preset": "test", "epochs": 1, "strategy": "single"}
    given |= {"pairs.source": "en", "pairs.target": "zh", "tokens.shared_vocabulary": False}
    given |= {"tokens.vocabulary_size": 300}
    train(TranslateApp(), configs.resolve(TranslateConfig, given), folder / "run")
    return folder / "run"


@pytest.mark.slow
def test_the_export_translates_as_the_live_model(run, tmp_path, monkeypatch):
    # The engine's own proof is this one, with more texts.
    monkeypatch.setattr("shared.engine.saved_model.export.verify", lambda jobs: None)
    app = TranslateApp()
    opened = open_run(app, run)
    model = load_best(app, opened)
    # Random enough to say something, and other than what an empty model says.
    for weight in model.trainable_variables:
        weight.assign(weight + 0.3 * tf.random.stateless_normal(weight.shape, [1, 2]))
    assert app.tokenizers.source.model != app.tokenizers.target.model
    (path,) = export(app, opened, model, tmp_path, name="two").values()

    command = [sys.executable, "-P", "-c", ANSWER, str(path), json.dumps(TEXTS)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    live = app.serving(opened, model)[""].translate(tf.constant(TEXTS))
    assert found["translation"] == [text.decode() for text in live["translation"].numpy()]
    assert len(set(found["translation"])) > 2 and found["translation"][2] == ""
    assert found["score"] == pytest.approx(live["score"].numpy().tolist(), abs=1e-3)
    known = json.loads((path / "assets.extra/languages.json").read_text())
    assert known == {
        "source": "en", "target": "zh", "source_script": "LATIN", "target_script": "CJK"
    }  # fmt: skip
    # Each side has its own pieces.
    for side, text in (("source", "twelve"), ("target", "十二")):
        tokenizer = getattr(app.tokenizers, side)
        pieces = tokenizer.pieces(tokenizer([text]).to_list()[0])
        assert found[f"{side}_pieces"] == [*pieces, "</s>"]
    assert found["ours"] == []
