"""BERT's part of `kerasuite demo`."""

from pathlib import Path


def demonstrate(demo) -> Path:
    """Generated sentences: fine-tune, distil, compare, export, predict."""
    data, teacher, student = (demo.folder / name for name in ("sentiment", "teacher", "student"))
    page = demo.page
    page.text(
        "A small BERT learns from generated sentences whether a thing is liked; negations and "
        "clauses decide. It is then distilled into a student of a quarter of its width. Both "
        "start untrained; with --init minilm, an encoder that knows English, they learn real text."
    )
    demo.command("samples", "sentiment", data)
    demo.command("bert", "check", data)
    demo.command("bert", "finetune", data, "--preset", "demo", "--output", teacher)
    demo.command(
        "bert", "distill", data, "--teacher", teacher, "--preset", "demo", "--epochs", 5,
        "--intermediate-epochs", 2, "--output", student,
    )  # fmt: skip
    scores = [demo.json(run / "metrics.json") for run in (teacher, student)]
    page.table(
        [
            [name, f"{metrics['accuracy']:.4f}", f"{metrics['f1']:.4f}"]
            for name, metrics in zip(("teacher", "student"), scores, strict=True)
        ],
        ["model", "accuracy", "F1"],
    )
    page.pictures(
        [
            (teacher / "plots" / "curves.png", "Loss and scores while fine-tuning"),
            (student / "plots" / "curves.png", "The student's losses, term by term"),
        ],
        large=True,
    )
    demo.command("bert", "export", student, "--output", demo.folder / "saved_models")
    model = next((demo.folder / "saved_models" / "bert-distill").iterdir())
    predictions = demo.folder / "predictions"
    demo.command("bert", "predict", model, data / "unlabelled", "--output", predictions)
    rows = demo.lines(predictions / "predictions.jsonl")[:8]
    texts = _lines(data / "unlabelled" / "1.txt")
    page.text("Sentences without a label, and the answers of the student's SavedModel.")
    page.table(
        [
            [texts[row["line"] - 1], row["label"], max(row["probabilities"].values())]
            for row in rows
        ],
        ["sentence", "label", "probability"],
    )
    demo.command("bert", "attention", teacher, texts[0], "--output", demo.folder / "attention")
    pictures = sorted((demo.folder / "attention").glob("*.png"))
    page.pictures([(path, f"Attention weights of {path.stem}") for path in pictures], large=True)
    return pictures[0]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
