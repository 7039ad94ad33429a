"""Attention as links between pieces, and as a picture."""

import numpy as np
import pytest
from PIL import Image

from apps.translation.prediction.alignment import Alignment, join_links, pharaoh, read_alignment
from shared.report import attention_plot as alignment_plot


def test_reads_a_padded_row():
    attention = np.arange(20, dtype=np.float32).reshape(4, 5)
    outputs = {
        "source_pieces": np.array([b"\xe2\x96\x81a", b"b", b"</s>", b"", b""], object),
        "target_pieces": np.array([b"\xe4\xbd\xa0", b"</s>", b"", b""], object),
        "attention": attention,
    }
    found = read_alignment(outputs)
    assert (found.source, found.target) == (["▁a", "b", "</s>"], ["你", "</s>"])
    np.testing.assert_array_equal(found.attention, attention[:2, :3])
    text = found.without_ends()
    assert (text.source, text.target) == (["▁a", "b"], ["你"])
    np.testing.assert_array_equal(text.attention, attention[:1, :2])


def test_links_equal_a_loop():
    generator = np.random.default_rng(0)
    parts, expected = [], []
    sources = targets = 0
    for source, target in ((3, 2), (0, 2), (4, 0), (5, 6)):
        attention = generator.random((target, source)).astype(np.float32)
        parts.append(Alignment(["s"] * source, ["t"] * target, attention))
        for j in range(target):
            best = max(range(source), key=lambda i, row=attention[j]: row[i], default=None)
            if best is not None:
                expected.append((best + sources, j + targets))
        sources, targets = sources + source, targets + target
    assert join_links(parts) == expected
    assert pharaoh(join_links([])) == ""


@pytest.mark.parametrize("size", [(1, 1), (3, 12), (40, 2), (130, 150)])
def test_draws_any_size(tmp_path, size):
    rows, columns = size
    attention = np.random.default_rng(0).dirichlet(np.ones(columns), rows)
    sources = [f"▁source{n}" for n in range(columns)]
    alignment_plot.draw(sources, ["$t_1^2"] * rows, attention, tmp_path / "a.png")
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert picture.std() > 0 and max(picture.shape) < 4500
    with pytest.raises(ValueError, match="attention is"):
        alignment_plot.draw(sources, ["x"] * (rows + 1), attention, tmp_path / "b.png")


def test_a_darker_cell_is_more_attention(tmp_path):
    """The picture shows the matrix as it is: rows downwards, columns to the right."""
    attention = np.eye(6)[[1, 0, 2, 3, 5, 4]]
    names = list("abcdef")
    alignment_plot.draw(names, names, attention, tmp_path / "a.png")
    blue = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    dark = (np.abs(blue - [8, 48, 107]).sum(-1) < 12).astype(int)
    rows, columns = np.nonzero(dark)
    box = rows.min(), columns.min()
    # The colour bar, to the right of the map, ends in the same colour.
    side = 6
    cell = 0.3 * alignment_plot.DPI
    inside = columns < box[1] + side * cell
    found = {
        (round((r - box[0]) // cell), round((c - box[1]) // cell))
        for r, c in zip(rows[inside], columns[inside], strict=True)
    }
    assert {(1, 0), (0, 1), (2, 2), (3, 3), (5, 4), (4, 5)} <= found
