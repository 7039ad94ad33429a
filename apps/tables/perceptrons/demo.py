"""The tables part of `kerasuite demo`."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from shared.common.files import write_text
from shared.report import plots

SIDE = 41


def demonstrate(demo) -> Path:
    """Exclusive or: the perceptron fails, one hidden layer does not; then wines."""
    page, data = demo.page, demo.folder / "xor"
    page.text(
        "Points in four clouds, of which those that lie across belong together (exclusive or). No "
        "line parts the classes: Rosenblatt's perceptron goes on correcting itself and gets no "
        "better than a guess (Minsky and Papert, 1969). One hidden layer is enough."
    )
    demo.command("samples", "xor", data)
    demo.command("table", "check", data / "train.csv", "--target", "class")
    common = (data / "train.csv", "--target", "class", "--validation-split", 0.25)
    runs = {
        "perceptron": ("--preset", "rosenblatt", "--epochs", 3),
        "one hidden layer": (
            "--preset", "perceptron", "--hidden", 16, "--activation", "tanh", "--batch-size", 32,
        ),
    }  # fmt: skip
    grid, areas = _write_grid(data / "grid.csv"), {}
    for name, options in runs.items():
        run = demo.folder / name.replace(" ", "-")
        demo.command("table", "train", *common, *options, "--output", run)
        predictions = demo.folder / f"{run.name}-grid"
        demo.command("table", "predict", run, grid, "--output", predictions)
        areas[name] = [row["label"] for row in demo.lines(predictions / "predictions.jsonl")]
        runs[name] = demo.json(run / "metrics.json")
    names = ("accuracy", "auroc", "trees_accuracy")
    page.table([[name, *(runs[name][each] for each in names)] for name in runs], ["", *names])
    cover = demo.folder / "xor.png"
    _draw(areas, data / "train.csv", cover)
    page.pictures([(cover, "What each network answers, and the points")], large=True)
    _wines(demo)
    return cover


def _wines(demo) -> None:
    page, data, run = demo.page, demo.folder / "wine", demo.folder / "wines"
    page.text("Thirteen numbers of a wine tell its grower; some wines have no label.")
    demo.command("samples", "wine", data)
    demo.command(
        "table", "train", data / "train.csv", "--target", "grower", "--preset", "mlp",
        "--batch-size", 32, "--epochs", 15, "--validation-split", 0.25, "--output", run,
    )  # fmt: skip
    names = ("importance", "partial_dependence", "calibration")
    page.pictures(
        [(run / "plots" / f"{name}.png", name.replace("_", " ")) for name in names], large=True
    )
    predictions = demo.folder / "wine-predictions"
    demo.command("table", "predict", run, data / "unlabelled.csv", "--output", predictions)
    rows = demo.lines(predictions / "predictions.jsonl")[:8]
    page.table([[row["line"], row["label"], max(row["probabilities"].values())] for row in rows],
               ["line", "label", "probability"])  # fmt: skip


def _write_grid(path: Path) -> Path:
    ticks = np.linspace(-0.6, 1.6, SIDE).tolist()
    write_text(path, "x,y\n" + "".join(f"{x:.3f},{y:.3f}\n" for y in ticks for x in ticks))
    return path


def _draw(areas: dict[str, list[str]], points: Path, path: Path) -> None:
    """Draws the answers of each network on the grid, with the points above."""
    rows = [line.split(",") for line in points.read_text(encoding="utf-8").splitlines()[1:]]
    places = np.array([row[:2] for row in rows], float)
    colours = ["C0" if row[2] == "odd" else "C1" for row in rows]
    with plots.style():
        figure = Figure(figsize=(4.2 * len(areas), 4.2), layout="constrained")
        for axes, (name, labels) in zip(figure.subplots(1, len(areas)), areas.items(), strict=True):
            is_odd = np.array([label == "odd" for label in labels]).reshape(SIDE, SIDE)
            axes.imshow(is_odd, cmap="coolwarm_r", alpha=0.35, origin="lower",
                        extent=(-0.6, 1.6, -0.6, 1.6))  # fmt: skip
            axes.scatter(*places.T, c=colours, s=8)
            axes.set_title(name)
        plots.write_figure(figure, path)
