"""The language-model part of `kerasuite demo`."""

from pathlib import Path


def demonstrate(demo) -> Path:
    """News articles: train, export, write, score."""
    data, run = demo.folder / "corpus", demo.folder / "lm"
    page = demo.page
    page.text(
        "A small Transformer reads 300 news articles character by character and writes on. After "
        "one pass over them (320,000 characters) it has seen how words look, and no more; five "
        "passes over a million characters, a quarter of an hour, make verses of it."
    )
    demo.command("samples", "corpus", data)
    text = data / "train.txt"
    demo.command(
        "lm", "train", text, "--preset", "tiny", "--epochs", 1, "--batch-size", 16, "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    names = ("perplexity", "word_perplexity", "bits_per_character")
    page.table([[name, f"{metrics[name]:.3f}"] for name in names], ["metric", "validation"])
    demo.command("lm", "export", run, "--output", demo.folder / "saved_models")
    model = next((demo.folder / "saved_models" / "lm").iterdir())
    demo.command("lm", "sample", model, "--prompt", "The government", "--max-tokens", 150)
    lines = demo.folder / "lines.txt"
    lines.write_text("The fire brigade\nebirgad erif ehT\n", encoding="utf-8")
    page.text("A sentence, and the same backwards, by what the model thinks of them.")
    demo.command("lm", "score", model, lines, "--output", demo.folder / "scores")
    rows = demo.lines(demo.folder / "scores" / "predictions.jsonl")
    page.table([[line, row["log_probability"], row["perplexity"]] for line, row in
                zip(lines.read_text().splitlines(), rows, strict=True)],
               ["line", "log-probability", "perplexity"])  # fmt: skip
    page.pictures([(run / "plots" / "curves.png", "Loss while training")], large=True)
    return run / "plots" / "curves.png"
