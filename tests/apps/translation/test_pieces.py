"""Lines cut into pieces by what the exported model reads."""

import functools

import pytest

from apps.translation.config import MAX_TOKENS
from apps.translation.prediction.pieces import count_tokens, cut_lines
from shared.engine.saved_model import loaded_model
from shared.engine.saved_model.loaded_model import LoadedModel
from tests.apps.translation.toy_translator import save_toy

RUSSIAN = "Все счастливые семьи похожи друг на друга, а каждая несчастливая по-своему " * 5
EMOJI = "🎉" * 440
LINES = ["short", RUSSIAN, "", EMOJI, "one. " + "x " * 150]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded_model, "_load", functools.cache(loaded_model._load))
        yield LoadedModel(save_toy(tmp_path_factory.mktemp("pieces") / "model"))


class OldExport:
    """A model that does not count tokens."""

    module = type("Module", (), {"signatures": {}})


def test_only_what_the_model_spells_in_bytes_is_cut(model):
    short, russian, empty, emoji, long = cut_lines(model, LINES, 100)
    assert (short, empty) == (["short"], [])
    # 375 letters that the model knows are 750 bytes.
    assert len(RUSSIAN.encode()) > MAX_TOKENS and russian == [RUSSIAN.strip()]
    assert len(emoji) > 1 and "".join(emoji) == EMOJI
    assert max(count_tokens(model, emoji, [""] * len(emoji))[0]) <= MAX_TOKENS
    assert len(long) == 3


def test_an_older_export_gets_pieces_that_fit_in_bytes():
    short, russian, empty, emoji, _ = cut_lines(OldExport, LINES, 100)
    assert (short, empty) == (["short"], [])
    assert len(russian) == 2 and " ".join(russian) == RUSSIAN.strip()
    assert all(len(piece.encode()) < MAX_TOKENS for piece in emoji)
    assert count_tokens(OldExport, ["a"], ["b"]) is None
