"""The translation part of `kerasuite demo`."""


def demonstrate(demo) -> None:
    """Number words to Chinese numerals: check, train, evaluate, export, predict, attention."""
    data, run = demo.folder / "numbers-en-zh", demo.folder / "translate"
    page = demo.page
    page.heading("Translation")
    page.text(
        "A small Transformer learns to write English number words as Chinese numerals. The truth "
        "is known for every number, so that exact translations can be counted."
    )
    demo.command("samples", "numbers-en-zh", data)
    demo.command("translate", "check", data, "--source", "en", "--target", "zh")
    demo.command(
        "translate", "train", data, "--source", "en", "--target", "zh", "--preset", "numbers",
        "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    page.table(
        [[name, f"{metrics[name]:.4f}"] for name in ("exact", "bleu", "chrf")],
        ["metric", "validation"],
    )
    demo.command("translate", "export", run, "--output", demo.folder / "saved_models")
    model = next((demo.folder / "saved_models" / "translate").iterdir())
    found = demo.folder / "translations"
    demo.command("translate", "predict", model, data / "input.txt", "--output", found)
    page.text("Numbers that are in neither the training nor the validation data.")
    rows = [
        [row["translation"], f"{row['score']:.3f}"]
        for row in demo.lines(found / "predictions.jsonl")
    ]
    sources = (data / "input.txt").read_text(encoding="utf-8").splitlines()
    page.table([[source, *row] for source, row in zip(sources, rows, strict=True)],
               ["English", "translation", "score"])  # fmt: skip
    picture = demo.folder / "attention.png"
    demo.command("translate", "attention", model, sources[0], "--output", picture)
    page.pictures(
        [
            (run / "plots" / "curves.png", "Loss and BLEU while training"),
            (picture, "Attention of each piece of the translation on the source"),
        ],
        large=True,
    )
