"""The offline sample corpus, and the corpus of the benchmarks."""

import gzip
import zipfile

from apps.embeddings.corpus.corpus import Corpus
from shared.samples.registry import write_sample
from tests.bench import english_corpus


def test_sample(tmp_path):
    line = write_sample("corpus", tmp_path / "corpus")
    assert line.startswith("300 news articles") and "50 to search" in line
    assert len(list(Corpus([str(tmp_path / "corpus" / "train.txt")]))) == 300
    assert len(list((tmp_path / "corpus" / "documents").iterdir())) == 50


def test_english_corpus_is_in_order(tmp_path):
    (tmp_path / "english_novels").mkdir()
    with zipfile.ZipFile(tmp_path / english_corpus.NOVELS, "w") as archive:
        archive.writestr("n/B.txt", "Don't " * 600)
        archive.writestr("n/A.txt", "ONE-two3")
    for name in english_corpus.FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(name[:4].encode()))
    count = english_corpus.write_english_corpus(tmp_path, tmp_path / "out.txt")
    lines = (tmp_path / "out.txt").read_text().splitlines()
    words = ["one", "two", *["don", "t"] * 600, "wiki", "text", "reut", "worl"]
    assert count == len(words) == 1206
    assert [line.split() for line in lines] == [words[:1000], words[1000:]]
