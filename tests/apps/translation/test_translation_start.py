"""The start of a translation run: options of its network, another run, the lengths of pairs."""

import numpy as np
import pytest

from apps.translation.app import TranslateApp
from apps.translation.config import TranslateConfig
from apps.translation.data import length_ratio
from apps.translation.pairs.encoded_pairs import EncodedPairs
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import load_best, open_run
from shared.engine.training.train import train
from shared.samples.numbers_en_zh import chinese, english
from shared.text.sentences import Sentences


def resolved(folder, numbers, **more):
    for name, of in (("en", english), ("zh", chinese)):
        (folder / f"train.{name}").write_text("".join(f"{of(n)}\n" for n in numbers), "utf-8")
    given = {"data": (str(folder),), "preset": "test", "epochs": 1, "strategy": "single"}
    given |= {"pairs.source": "en", "pairs.target": "zh", "tokens.vocabulary_size": 300}
    return configs.resolve(TranslateConfig, given | more)


@pytest.mark.parametrize("shared", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_init_brings_weights_and_vocabulary(tmp_path, capsys, shared):
    """With a rate of nearly 0 the run ends with the weights that it began with."""
    options = {"tokens.shared_vocabulary": shared}
    train(TranslateApp(), resolved(tmp_path, range(24), **options), tmp_path / "one")
    options |= {"init": str(tmp_path / "one"), "learning_rate": 1e-12, "seed": 5}
    other = resolved(tmp_path, range(400, 430), **options)
    train(TranslateApp(), other, tmp_path / "two")
    assert "nothing in it fits" not in capsys.readouterr().err
    one, two = (tmp_path / name for name in ("one", "two"))
    for path in one.glob("*.model"):
        assert path.read_bytes() == (two / path.name).read_bytes()
    models = []
    for folder in (one, two):
        app = TranslateApp()
        models.append(load_best(app, open_run(app, folder)))
    for before, after in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)


@pytest.mark.parametrize("shared", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_kind_of_vocabulary_comes_along(tmp_path, capsys, shared):
    """Options that differ from it are reported as unused; the run says what was used."""
    theirs = {"tokens.shared_vocabulary": shared, "tokens.vocabulary": "char"}
    train(TranslateApp(), resolved(tmp_path, range(24), **theirs), tmp_path / "one")
    given = {"tokens.shared_vocabulary": not shared, "tokens.vocabulary": "bpe"}
    config = resolved(tmp_path, range(24), init=str(tmp_path / "one"), **given)
    contents, _ = TranslateApp().check(config)
    train(TranslateApp(), config, tmp_path / "two")
    warned = capsys.readouterr().err
    assert "brings its vocabulary; not used: --vocabulary bpe (it has char)" in warned
    assert "nothing in it fits" not in warned
    run = open_run(TranslateApp(), tmp_path / "two")
    assert run.config.tokens.vocabulary == "char" and run.config.tokens.shared_vocabulary == shared
    assert any(line.startswith("vocabulary: char,") for line in contents)


def test_init_without_a_vocabulary_is_refused(tmp_path):
    config = resolved(tmp_path, range(24), init=str(tmp_path))
    with pytest.raises(KerasuiteError, match=r"no source\.model is there"):
        TranslateApp().check(config)
    with pytest.raises(KerasuiteError, match=r"no source\.model is there"):
        train(TranslateApp(), config, tmp_path / "two")


def test_scheduled_sampling_is_of_recurrent_networks(tmp_path):
    with pytest.raises(KerasuiteError, match="--scheduled-sampling: .* --architecture transformer"):
        resolved(tmp_path, range(24), **{"model.scheduled_sampling": 0.5})


def test_characters_of_english_may_be_many_for_one_of_chinese():
    """The limit of a translation is learnt from the pairs, but is never below twice the source."""

    def pairs(source, target):
        sides = [[list(range(4, 4 + n)) for n in lengths] for lengths in (source, target)]
        return EncodedPairs(*(Sentences.of(np.array(row) for row in side) for side in sides))

    assert length_ratio(pairs([9, 19, 3], [9, 9, 3])) == 2.0
    assert length_ratio(pairs([1] * 100, [9] * 100)) == pytest.approx(5.0)
    # One odd pair of a thousand does not count.
    assert length_ratio(pairs([3] * 1000, [11] * 999 + [400])) == pytest.approx(3.0)
