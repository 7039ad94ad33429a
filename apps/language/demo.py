"""The language-model part of `kerasuite demo`."""

from pathlib import Path


def demonstrate(demo) -> Path:
    """News articles: train, export, write, score."""
    data, run = demo.folder / "corpus", demo.folder / "lm"
    page = demo.page
    page.text(
        "An LSTM reads 300 news articles word by word, six times, and writes on. From 54,000 words "
        "it learns which of the 3,000 most frequent follow one another, but not what to say (every "
        "fifth word of the validation text is another one and counts as unknown); a million "
        "characters and a quarter of an hour make verses of Shakespeare."
    )
    demo.command("samples", "corpus", data)
    text = data / "train.txt"
    demo.command(
        "lm", "train", text, "--vocabulary", "word", "--vocabulary-size", 3000,
        "--architecture", "lstm", "--num-layers", 1, "--hidden-dim", 128, "--sequence-length", 32,
        "--epochs", 6, "--batch-size", 16, "--learning-rate", 4e-3, "--max-tokens", 60,
        "--temperature", 0.6, "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    names = ("perplexity", "word_perplexity", "bits_per_character")
    page.table([[name, f"{metrics[name]:.3f}"] for name in names], ["metric", "validation"])
    demo.command("lm", "export", run, "--output", demo.folder / "saved_models")
    model = next((demo.folder / "saved_models" / "lm").iterdir())
    demo.command("lm", "sample", model, "--prompt", "The Prime Minister")
    lines = demo.folder / "lines.txt"
    sentence = "The Prime Minister says he will meet the United States"
    backwards = " ".join(reversed(sentence.split()))
    lines.write_text(f"{sentence}\n{backwards}\n", encoding="utf-8")
    page.text("A sentence, and the same backwards, by what the model thinks of them.")
    demo.command("lm", "score", model, lines, "--output", demo.folder / "scores")
    rows = demo.lines(demo.folder / "scores" / "predictions.jsonl")
    page.table([[line, row["log_probability"], row["perplexity"]] for line, row in
                zip(lines.read_text().splitlines(), rows, strict=True)],
               ["line", "log-probability", "perplexity"])  # fmt: skip
    page.pictures([(run / "plots" / "curves.png", "Loss while training")], large=True)
    return run / "plots" / "curves.png"
