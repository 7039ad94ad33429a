"""The detection part of `kerasuite demo`."""

from pathlib import Path


def demonstrate(demo) -> Path:
    """Digits on cluttered pictures: check, train, evaluate, export, predict with pictures."""
    data, run = demo.folder / "digits-detection", demo.folder / "detect"
    page = demo.page
    page.text(
        "A detector of three million parameters learns from scratch to find handwritten digits, "
        "pasted at random places and sizes on cluttered pictures, and draws what it finds on "
        "pictures without annotations."
    )
    demo.command("samples", "digits-detection", data)
    demo.command("detect", "check", data)
    # Small pictures in small batches: four times the steps of the preset's in the same time.
    demo.command(
        "detect", "train", data, "--preset", "tiny", "--image-size", 128, "--batch-size", 8,
        "--epochs", 24, "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    shown = ("map", "map50", "map75", "precision", "recall", "f1")
    page.table([[name, f"{metrics[name]:.4f}"] for name in shown], ["metric", "validation"])
    page.pictures(
        [
            (run / "plots" / "curves.png", "Loss and average precision while training"),
            (run / "plots" / "precision_recall.png", "Precision and recall of each class"),
            (run / "plots" / "confusion.png", "Confusion matrix on the validation pictures"),
        ],
        large=True,
    )
    demo.command("detect", "export", run, "--output", demo.folder / "saved_models")
    model = next((demo.folder / "saved_models" / "detect").iterdir())
    found = demo.folder / "detections"
    demo.command(
        "detect", "predict", model, data / "unlabelled", "--output", found, "--save-images"
    )
    page.text("Pictures without annotations, and the detections of the SavedModel.")
    pictures = sorted((found / "images").glob("*.jpg"))
    page.pictures([(path, path.stem) for path in pictures], large=True)
    return pictures[0]
