"""Entity metrics against seqeval's strict mode."""

import random
import warnings

import pytest
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from apps.bert.metrics.tagging import entities, entity_metrics, entity_report


def random_tags(generator, length):
    names = ["O", "O", *(f"{letter}-{kind}" for letter in "BI" for kind in ("PER", "LOC", "ORG"))]
    return [generator.choice(names) for _ in range(length)]


@pytest.mark.parametrize("seed", range(5))
def test_equals_seqeval(seed):
    """Valid and invalid rows of tags, half of the predictions near the truth."""
    generator = random.Random(seed)
    right = [random_tags(generator, generator.randrange(1, 12)) for _ in range(60)]
    predicted = [
        [tag if generator.random() < 0.8 else random_tags(generator, 1)[0] for tag in tags]
        for tags in right
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = classification_report(
            right, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
        )
    report = entity_report(right, predicted)
    metrics = entity_metrics(right, predicted)
    for kind in ("PER", "LOC", "ORG"):
        for ours, theirs in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            assert report[kind][ours] == pytest.approx(expected[kind][theirs])
        assert report[kind]["support"] == expected[kind]["support"]
    for ours, theirs in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
        assert metrics[ours] == pytest.approx(expected["micro avg"][theirs])


def test_by_hand():
    right = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "O"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["B-ORG", "I-ORG"]]
    assert entities(right[0]) == [("PER", 0, 1), ("LOC", 3, 3)]
    metrics = entity_metrics(right, predicted)
    assert metrics["precision"] == metrics["recall"] == metrics["f1"] == pytest.approx(1 / 3)
    assert metrics["accuracy"] == pytest.approx(4 / 6)


def test_no_entities():
    metrics = entity_metrics([["O"]], [["O"]])
    assert metrics == {"precision": 0, "recall": 0, "f1": 0, "accuracy": 1}
    assert entity_report([["O"]], [["O"]]) == {}
