"""The map of words."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from threadpoolctl import threadpool_limits

from apps.embeddings.vectors.projection_plot import plot_projection, write_labels
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError


@pytest.fixture
def vectors():
    generator = np.random.default_rng(0)
    return WordVectors([f"$word_{index}" for index in range(80)], generator.normal(size=(80, 10)))


@pytest.mark.parametrize(
    ("method", "count"), [("pca", 2), ("pca", 80), ("tsne", 2), ("tsne", 4), ("tsne", 12)]
)
def test_writes_the_same_picture(tmp_path, vectors, method, count):
    # Threads that wait for each other would take most of the time of these few words.
    with threadpool_limits(1):
        for name in ("a.png", "b.png"):
            plot_projection(vectors, tmp_path / name, vectors.words[:count], method)
    first, second = (np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png"))
    assert first.std() > 0 and (first == second).all()


def test_labels_do_not_overlap():
    points = np.random.default_rng(0).normal(size=(150, 2))
    figure = Figure(figsize=(12, 10), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.scatter(*points.T)
    boxes = write_labels(axes, points, [f"word{index}" for index in range(150)])
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    area = np.clip(high - low, 0, None).prod(axis=-1)
    np.fill_diagonal(area, 0)
    assert (area > 0).sum() <= 2


def test_one_dimension(tmp_path):
    plot_projection(WordVectors(["a", "b"], [[1.0], [-1.0]]), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert len(picture.convert("L").getcolors()) > 2  # Points and labels, not a blank page.


def test_errors(tmp_path, vectors):
    with pytest.raises(KerasuiteError, match="at least two words"):
        plot_projection(vectors, tmp_path / "a.png", ["$word_1"])
    with pytest.raises(KerasuiteError, match="'x' is not among"):
        plot_projection(vectors, tmp_path / "a.png", ["$word_1", "x"])
    with pytest.raises(KerasuiteError, match="--method umap"):
        plot_projection(vectors, tmp_path / "a.png", method="umap")
