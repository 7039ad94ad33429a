"""SQuAD's metrics: values worked out by hand from the definition of the official script."""

import numpy as np
import pytest

from apps.bert.metrics.squad import (
    answer_metrics,
    apply_null_threshold,
    best_null_threshold,
    exact_match,
    f1,
    normalize_answer,
    question_scores,
)
from apps.bert.tasks.examples import QuestionExample


def question(name, *answers):
    return QuestionExample(name, "?", "", tuple((text, 0) for text in answers), not answers)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("The Broncos", "broncos"),
        ("a, an; the: x", "x"),
        ("U.S.A.", "usa"),
        ("24–10", "24–10"),
        ("Theatre and another", "theatre and another"),
        ("the-end", "theend"),
        ("  Two\n words ", "two words"),
        ("the", ""),
    ],
)
def test_normalisation(text, expected):
    assert normalize_answer(text) == expected


@pytest.mark.parametrize(
    "answer, right, exact, expected",
    [
        ("Denver Broncos", "The Denver Broncos!", 1, 1),
        # 2 of 3 words, 2 of 4: precision 2/3, recall 1/2.
        ("cat dog bird", "dog cat fish frog", 0, 4 / 7),
        # Repeated words count as often as both have them.
        ("no no no", "no no yes", 0, 2 * 2 / 6),
        ("x", "y", 0, 0),
        ("", "", 1, 1),
        ("the", "", 1, 1),
        ("x", "", 0, 0),
        ("", "x", 0, 0),
    ],
)
def test_scores(answer, right, exact, expected):
    assert exact_match(answer, right) == exact
    assert f1(answer, right) == pytest.approx(expected)


def test_the_best_of_several_answers_counts():
    # Exact match and F1 may come from different ones.
    assert question_scores(question("q", "x y z", "x y"), "x y") == (1, 1)
    assert question_scores(question("q", "u v", "x y z w"), "x y") == (0, pytest.approx(2 / 3))
    # A right answer of which nothing is left does not count.
    assert question_scores(question("q", "the"), "") == (1, 1)


def test_means():
    questions = [question("a", "x"), question("b", "x y"), question("c")]
    metrics = answer_metrics(questions, {"a": "x", "b": "y", "c": "z"})
    assert metrics == {
        "exact_match": pytest.approx(1 / 3),
        "f1": pytest.approx((1 + 2 / 3 + 0) / 3),
        "has_answer_exact_match": 0.5,
        "has_answer_f1": pytest.approx(5 / 6),
        "no_answer_exact_match": 0,
        "no_answer_f1": 0,
    }
    assert set(answer_metrics(questions[:2], {})) == {"exact_match", "f1"}
    assert answer_metrics(questions[2:], {})["f1"] == 1


@pytest.mark.parametrize("seed", range(10))
def test_the_threshold_is_the_best_of_all(seed):
    generator = np.random.default_rng(seed)
    questions, answers, odds = [], {}, {}
    for number in range(30):
        name = str(number)
        right = ["x y"] if generator.random() < 0.5 else []
        questions.append(question(name, *right))
        answers[name] = generator.choice(["x", "x y", "z"])
        odds[name] = float(generator.integers(-5, 5)) + (0 if right else 2)

    def score(threshold):
        return answer_metrics(questions, apply_null_threshold(answers, odds, threshold))["f1"]

    found = best_null_threshold(questions, answers, odds)
    assert score(found) == pytest.approx(max(score(t) for t in np.arange(-8, 9, 0.5)))


def test_where_nothing_has_an_answer_a_finite_threshold_says_so():
    """It is exported: without it the model would answer everything."""
    questions = [question(str(number)) for number in range(3)]
    answers, odds = {q.id: "x" for q in questions}, {"0": 3.0, "1": -2.0, "2": 0.5}
    found = best_null_threshold(questions, answers, odds)
    assert np.isfinite(found)
    assert set(apply_null_threshold(answers, odds, found).values()) == {""}
