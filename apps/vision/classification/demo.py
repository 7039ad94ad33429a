"""The classification part of `kerasuite demo`."""

from pathlib import Path

import numpy as np
from PIL import Image

from shared.report.plots import image_grid


def demonstrate(demo) -> Path:
    """Digits: train, evaluate, export, predict a folder without labels, explain."""
    data, run = demo.folder / "digits", demo.folder / "classify"
    page = demo.page
    page.text(
        "A small ResNet-18 learns handwritten digits (scikit-learn's, 8x8 pixels) and labels a "
        "folder of pictures that it has not seen."
    )
    demo.command("samples", "digits", data)
    demo.command("classify", "check", data)
    demo.command("classify", "train", data, "--preset", "tiny", "--epochs", 6, "--output", run)
    metrics = demo.json(run / "metrics.json")
    shown = ("accuracy", "top5", "precision", "recall", "f1")
    page.table([[name, f"{metrics[name]:.4f}"] for name in shown], ["metric", "validation"])
    page.pictures(
        [
            (run / "plots" / "curves.png", "Loss and accuracy while training"),
            (run / "plots" / "confusion.png", "Confusion matrix on the validation images"),
        ],
        large=True,
    )
    demo.command("classify", "export", run, "--output", demo.folder / "saved_models")
    _add_a_bad_file(data / "unlabelled")
    model = next((demo.folder / "saved_models" / "classify").iterdir())
    predictions = demo.folder / "predictions"
    demo.command("classify", "predict", model, data / "unlabelled", "--output", predictions)
    page.text(
        "Pictures without a label, and the answers of the SavedModel; the bad file is a line in "
        "errors.jsonl and stops nothing."
    )
    rows = demo.lines(predictions / "predictions.jsonl")[:16]
    page.pictures(
        [
            (data / "unlabelled" / row["file"], f"{row['label']} ({row['score']:.0%})")
            for row in rows
        ]
    )
    overlays = demo.folder / "explanations"
    demo.command(
        "classify", "explain", run, data / "unlabelled", "--output", overlays, "--limit", 8
    )
    page.text("Grad-CAM: warm colours mark the pixels that speak for the label.")
    page.pictures([(path, path.stem) for path in sorted(overlays.glob("*.png"))[:8]])
    cover = demo.folder / "labelled.png"
    images = [np.asarray(Image.open(data / "unlabelled" / row["file"])) for row in rows[:9]]
    image_grid(images, [row["label"] for row in rows[:9]], cover, columns=3)
    return cover


def _add_a_bad_file(folder: Path) -> None:
    (folder / "not-an-image.png").write_text("This is text.\n", encoding="utf-8")
