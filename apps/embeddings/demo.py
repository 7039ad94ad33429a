"""The word-embedding part of `kerasuite demo`."""

from pathlib import Path

QUERY = "storm and heavy rain"


def demonstrate(demo) -> Path:
    """News articles: train, neighbours, export, document vectors, search."""
    data, run = demo.folder / "corpus", demo.folder / "embed"
    page = demo.page
    page.text(
        "Skip-gram learns vectors from 300 news articles (60,000 words: far too few for good "
        "analogies, enough to see how it works) and ranks 50 other articles by a query."
    )
    demo.command("samples", "corpus", data)
    demo.command("embed", "check", data / "train.txt")
    demo.command("embed", "train", data / "train.txt", "--preset", "tiny", "--output", run)
    demo.command("embed", "neighbors", run, "israel", "fire", "cricket", "--top", 6)
    page.pictures(
        [
            (run / "plots" / "words.png", "A map of frequent words (principal components)"),
            (run / "plots" / "curves.png", "Loss while training"),
        ],
        large=True,
    )
    demo.command("embed", "export", run, "--output", demo.folder / "saved_models")
    model = next((demo.folder / "saved_models" / "embed").iterdir())
    vectors = demo.folder / "document_vectors"
    demo.command("embed", "predict", model, data / "documents", "--output", vectors)
    demo.command("embed", "search", model, QUERY, data / "documents", "--top", 3)
    return run / "plots" / "words.png"
