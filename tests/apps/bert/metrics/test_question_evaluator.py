"""With which threshold "" is answered, and on which data it is chosen."""

import pytest

from apps.bert.finetuning.questions.evaluator import QuestionEvaluator
from apps.bert.tasks.examples import QuestionExample


class Answered(QuestionEvaluator):
    """Says "x" to everything; `odds` are how much better "" scores."""

    def __init__(self, *odds_and_right):
        examples = [
            QuestionExample(str(n), "?", "x y", (("x", 0),) if right else ())
            for n, (_, right) in enumerate(odds_and_right)
        ]
        super().__init__(examples, None, 30)
        self.odds = {str(n): odd for n, (odd, _) in enumerate(odds_and_right)}

    def answers(self):
        return dict.fromkeys(self.odds, "x"), self.odds


def test_the_threshold_is_chosen_on_the_runs_own_data():
    own = Answered((-2.0, True), (1.0, True), (3.0, False)).result()
    assert own["f1"] == 1.0 and own["null_threshold"] == 2.0
    assert "best_f1" not in own


def test_other_data_are_judged_with_the_threshold_of_the_run():
    """The exported model has it; what the best one would give stands beside."""
    other = Answered((-2.0, True), (0.5, False), (3.0, False), (2.0, True))
    other.use_thresholds({"null_threshold": 1.0})
    found = other.result()
    # Answers the first rightly, the second wrongly, the third rightly with "".
    assert found["f1"] == pytest.approx(2 / 4)
    assert found["best_f1"] == pytest.approx(3 / 4)
    assert "null_threshold" not in found


def test_a_run_without_unanswerable_questions_answers_all():
    other = Answered((9.0, True), (9.0, False))
    other.use_thresholds({})
    assert other.result()["f1"] == pytest.approx(1 / 2)
