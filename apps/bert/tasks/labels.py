"""Names of classes and tags, in an order that does not depend on the examples' order."""

from collections.abc import Iterable

from apps.bert.tasks.conll_columns import OUTSIDE
from apps.bert.tasks.examples import TaggedSentence, TextExample


def class_names(examples: Iterable[TextExample]) -> list[str]:
    """The labels of examples: numbers in numerical, names in alphabetical order.

    >>> class_names([TextExample("a", label="10"), TextExample("b", label="9")])
    ['9', '10']
    """
    names = {example.label for example in examples if example.label is not None}
    return _in_order(names)


def label_names(examples: Iterable[TextExample]) -> list[str]:
    """The same of examples with several labels.

    >>> label_names([TextExample("a", label=("b", "a")), TextExample("b", label=())])
    ['a', 'b']
    """
    return _in_order({name for example in examples for name in example.label})


def _in_order(names: set[str]) -> list[str]:
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=int)
    return sorted(names)


def span_type(tag: str) -> str:
    """The type of the spans of a tag: PER for B-PER and I-PER, the tag itself for other tags.

    >>> [span_type(tag) for tag in ("B-PER", "I-PER", "NN", "O")]
    ['PER', 'PER', 'NN', '']
    """
    if tag.startswith(("B-", "I-")):
        return tag[2:]
    return "" if tag == OUTSIDE else tag


def tag_names(sentences: Iterable[TaggedSentence]) -> list[str]:
    """The tags of sentences: O first; B- and I- of each span type, even if one does not occur.

    >>> tag_names([TaggedSentence(("Rome", "."), ("B-LOC", "O"))])
    ['O', 'B-LOC', 'I-LOC']
    """
    tags = {tag for sentence in sentences for tag in sentence.tags}
    types = {tag[2:] for tag in tags if tag.startswith(("B-", "I-"))}
    spans = [f"{letter}-{name}" for name in sorted(types) for letter in "BI"]
    others = sorted(tags - {*spans, OUTSIDE})
    return [OUTSIDE, *spans, *others] if types or OUTSIDE in tags else others
