"""BERT's part of `kerasuite demo`."""

from pathlib import Path


def demonstrate(demo) -> None:
    """Generated sentences: fine-tune, distil, export both, compare, predict."""
    data, teacher, student = (demo.folder / name for name in ("sentiment", "teacher", "student"))
    page = demo.page
    page.heading("BERT")
    page.text(
        "A small BERT learns from generated sentences whether a thing is liked; negations and "
        "clauses decide. A student of a quarter of its width then learns what it computes. Both "
        "start from nothing: with an encoder that knows English, --init minilm, real text is next."
    )
    demo.command("samples", "sentiment", data)
    demo.command("bert", "check", data)
    demo.command("bert", "finetune", data, "--preset", "demo", "--output", teacher)
    demo.command(
        "bert", "distill", data, "--teacher", teacher, "--preset", "demo", "--output", student
    )
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
            (student / "plots" / "curves.png", "What the student learns, term by term"),
        ],
        large=True,
    )
    models = demo.folder / "saved_models"
    for run in (teacher, student):
        demo.command("bert", "export", run, "--output", models)
    for run, task in ((teacher, "bert-finetune"), (student, "bert-distill")):
        predictions = demo.folder / f"{run.name}-predictions"
        model = models / task / run.name
        demo.command(
            "bert", "predict", model, data / "unlabelled", "--output", predictions,
            "--batch-size", "4",
        )  # fmt: skip
    rows = demo.lines(demo.folder / "student-predictions" / "predictions.jsonl")[:8]
    texts = _lines(data / "unlabelled" / "1.txt")
    page.text("Sentences without a label, and what the student's SavedModel says.")
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


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
