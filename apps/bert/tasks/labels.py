"""The names of classes and tags, in an order that does not depend on that of the examples."""

from collections.abc import Iterable

from apps.bert.tasks.conll import OUTSIDE
from apps.bert.tasks.examples import TaggedSentence, TextExample


def class_names(examples: Iterable[TextExample]) -> list[str]:
    """The labels of examples: numbers in their order, names by the alphabet.

    >>> class_names([TextExample("a", label="10"), TextExample("b", label="9")])
    ['9', '10']
    """
    names = {example.label for example in examples if example.label is not None}
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=int)
    return sorted(names)


def span_type(tag: str) -> str:
    """What spans of a tag are called: PER of B-PER and I-PER, the tag itself where it is another.

    >>> [span_type(tag) for tag in ("B-PER", "I-PER", "NN", "O")]
    ['PER', 'PER', 'NN', '']
    """
    if tag.startswith(("B-", "I-")):
        return tag[2:]
    return "" if tag == OUTSIDE else tag


def tag_names(sentences: Iterable[TaggedSentence]) -> list[str]:
    """The tags of sentences: O first; of spans, B and I of each type, though one may not occur.

    >>> tag_names([TaggedSentence(("Rome", "."), ("B-LOC", "O"))])
    ['O', 'B-LOC', 'I-LOC']
    """
    tags = {tag for sentence in sentences for tag in sentence.tags}
    kinds = {tag[2:] for tag in tags if tag.startswith(("B-", "I-"))}
    spans = [f"{letter}-{kind}" for kind in sorted(kinds) for letter in "BI"]
    others = sorted(tags - {*spans, OUTSIDE})
    return [OUTSIDE, *spans, *others] if kinds or OUTSIDE in tags else others
