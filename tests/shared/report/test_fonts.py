"""Fonts of pictures: installed ones are found by their characters, missing ones are named."""

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from apps.vision.detection.draw import draw_boxes
from shared.report import fonts, plots

CAT = "猫"


@pytest.fixture
def installed(monkeypatch):
    """Chooses the installed fonts beside matplotlib's own."""
    cached = [one for one in vars(fonts).values() if hasattr(one, "cache_clear")]
    own = [one for one in font_manager.fontManager.ttflist if one.name.startswith("DejaVu Sans")]

    def forget():
        for one in (*cached, font_manager.fontManager._findfont_cached):
            one.cache_clear()

    def install(*files):
        monkeypatch.setattr(font_manager.fontManager, "ttflist", list(own))
        for file in files:
            font_manager.fontManager.addfont(file)
        forget()

    yield install
    monkeypatch.undo()
    forget()


def cat_font(path):
    """A font named as the CJK ones are, whose only character is a black square."""
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "cat"])
    font.setupCharacterMap({ord(CAT): "cat"})
    square = TTGlyphPen(None)
    square.moveTo((0, 0))
    for corner in ((0, 900), (900, 900), (900, 0)):
        square.lineTo(corner)
    square.closePath()
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "cat": square.glyph()})
    font.setupHorizontalMetrics({".notdef": (1000, 0), "cat": (1000, 0)})
    font.setupHorizontalHeader(ascent=900, descent=-100)
    font.setupNameTable({"familyName": "Noto Sans CJK Test", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    return str(path)


def plate(label):
    """The text over a box: dark pixels on a plate of the class's colour."""
    drawn = draw_boxes(np.zeros((400, 400, 3), np.uint8), np.array([[0.2, 0.5, 0.9, 0.9]]), [label])
    return drawn[150:199]


def test_boxes_are_labelled_in_a_font_that_has_the_characters(installed, tmp_path, capsys):
    installed(cat_font(tmp_path / "cat.ttf"))
    assert fonts.font_file(CAT) == str(tmp_path / "cat.ttf")
    assert fonts.font_file("cat") == fonts.font_file("") != fonts.font_file(CAT)
    assert fonts.families() == ["DejaVu Sans", "Noto Sans CJK Test"]
    with_font = plate(CAT)
    installed()
    without = plate(CAT)
    assert (with_font != without).any()
    # The first one had its character: a filled square, where DejaVu draws an empty box.
    assert CAT in (captured := capsys.readouterr().err) and captured.count("\n") == 1


def test_missing_characters_are_said_once_and_in_one_line(installed, tmp_path, capsys):
    installed()
    for _ in range(2):
        plate(f"{CAT} Größe")
    plots.confusion_matrix([[1, 0], [0, 1]], [CAT, "dog"], tmp_path / "confusion.png")
    error = capsys.readouterr().err
    assert error == f"warning: no installed font has {CAT}; install one such as Noto Sans CJK\n"


def test_missing_characters():
    assert fonts.missing_characters(["▁Größe", "naïve", "Ω"]) == ""
    assert fonts.missing_characters(["a\U0001f9ff", "\U0001f9ffb"]) in ("", "\U0001f9ff")
    assert fonts.missing_characters(["\U000e0fff", "\n"]) == ""
