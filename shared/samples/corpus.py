"""News articles of the Lee corpora, which gensim carries, as text to train on and to search."""

from pathlib import Path

from gensim.test.utils import datapath

from shared.common.files import write_text


def write_corpus(folder: Path) -> str:
    """Writes train.txt, one of 300 articles a line, and 50 other articles in documents/.

    Returns:
        A line that says what was written.
    """
    background = _articles("lee_background.cor")
    write_text(folder / "train.txt", "".join(f"{article}\n" for article in background))
    others = _articles("lee.cor")
    for number, article in enumerate(others):
        write_text(folder / "documents" / f"article-{number:02d}.txt", article + "\n")
    words = sum(len(article.split()) for article in background)
    return (
        f"{len(background)} news articles to train on ({words:,} words) in train.txt, "
        f"{len(others)} to search in documents/"
    )


def _articles(name: str) -> list[str]:
    text = Path(datapath(name)).read_text(encoding="latin-1")
    return [line.strip() for line in text.split("\n") if line.strip()]
