import numpy as np
import pytest
from PIL import Image

from shared.report import plots


def history(epochs):
    return [
        {
            "epoch": epoch,
            "step": epoch * 100,
            "learning_rate": 1e-3 * 0.9**epoch,
            "loss": 2.0 / epoch,
            "accuracy": 1 - 0.8 / epoch,
            "val_loss": 2.2 / epoch + 0.01 * epoch,
            "val_accuracy": 0.95 - 0.8 / epoch,
        }
        for epoch in range(1, epochs + 1)
    ]


def test_curves_of_a_training(tmp_path):
    plots.curves(history(12), tmp_path / "plots" / "curves.png")
    with Image.open(tmp_path / "plots" / "curves.png") as picture:
        assert picture.format == "PNG" and picture.width > picture.height > 300
    assert [file.name for file in (tmp_path / "plots").iterdir()] == ["curves.png"]


@pytest.fixture
def drawn(monkeypatch):
    """The axes of all curves that are drawn."""
    axes_drawn, original = [], plots._curve
    monkeypatch.setattr(
        plots, "_curve", lambda axes, *args: (original(axes, *args), axes_drawn.append(axes))
    )
    return axes_drawn


def test_curves_pair_train_and_validation_and_put_the_rate_last(tmp_path, drawn):
    plots.curves(history(3), tmp_path / "curves.png")
    assert [axes.get_title() for axes in drawn] == ["loss", "accuracy", "learning rate"]
    labels = [text.get_text() for text in drawn[0].get_legend().get_texts()]
    assert labels == ["train", "validation"]
    np.testing.assert_allclose(drawn[0].lines[0].get_ydata(), [2.0, 1.0, 2.0 / 3])
    np.testing.assert_allclose(drawn[0].lines[1].get_xdata(), [1, 2, 3])


def test_curves_show_the_reference_beside_the_metric(tmp_path, drawn):
    rows = [{"epoch": n, "val_psnr": 20 + n, "val_bicubic_psnr": 19.5} for n in (1, 2, 3)]
    plots.curves(rows, tmp_path / "curves.png", reference="bicubic")
    assert [axes.get_title() for axes in drawn] == ["psnr"]
    labels = [text.get_text() for text in drawn[0].get_legend().get_texts()]
    assert labels == ["validation", "bicubic"]
    np.testing.assert_allclose(drawn[0].lines[1].get_ydata(), 19.5)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        history(1),
        [{"epoch": "1", "loss": "2.0"}, {"epoch": "2", "loss": "", "note": "resumed"}],
        [{"epoch": 1, "loss": float("nan")}],
    ],
)
def test_curves_of_odd_histories(tmp_path, rows):
    plots.curves(rows, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 0


@pytest.mark.parametrize("count", [2, 10, 100, 120])
def test_confusion_matrix_of_few_and_many_classes(tmp_path, count):
    generator = np.random.default_rng(count)
    matrix = generator.integers(0, 3, (count, count)) + 40 * np.eye(count, dtype=int)
    plots.confusion_matrix(matrix, [f"class {i}" for i in range(count)], tmp_path / "m.png")
    with Image.open(tmp_path / "m.png") as picture:
        assert 400 < picture.width < 4000 and 400 < picture.height < 4000


def test_confusion_matrix_colours_the_diagonal_of_a_perfect_classifier(tmp_path):
    plots.confusion_matrix([[5, 0], [0, 7]], ["cat", "dog"], tmp_path / "m.png")
    with Image.open(tmp_path / "m.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    dark_blue = (pixels[:, 2] > 80) & (pixels[:, 0] < 30)
    assert dark_blue.mean() > 0.1


def test_confusion_matrix_takes_any_label_and_an_empty_class(tmp_path, recwarn):
    labels = ["a$b$", "_hidden", "\\alpha{", "a label that is much longer than others are"]
    plots.confusion_matrix(np.zeros((4, 4), int), labels, tmp_path / "m.png")
    assert not [warning for warning in recwarn if "invalid value" in str(warning.message)]


def test_confusion_matrix_checks_its_labels(tmp_path):
    with pytest.raises(ValueError, match="for 3 labels"):
        plots.confusion_matrix(np.eye(2), ["a", "b", "c"], tmp_path / "m.png")
    assert not list(tmp_path.iterdir())


def test_image_grid_of_unequal_pictures(tmp_path):
    images = [
        np.full((20, 30, 3), (255, 0, 0), "uint8"),
        np.full((40, 10), 128, "uint8"),
        np.full((8, 8, 3), 300.0, "float32"),
    ]
    plots.image_grid(images, ["red\n0.98", "grey $5", ""], tmp_path / "grid.png", columns=2)
    with Image.open(tmp_path / "grid.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {(255, 0, 0), (128, 128, 128)} <= colours


def test_no_global_state_is_left(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.image_grid([np.zeros((4, 4, 3), "uint8")], ["x"], tmp_path / "grid.png")
    assert dict(matplotlib.rcParams) == before
