"""Exact match and F1 of answers, by the rules of the official evaluation script of SQuAD 2.0.

[Rajpurkar et al., 2018](https://arxiv.org/abs/1806.03822). Answers are compared without case,
punctuation and articles; of several right answers the best match counts; "" is the right
answer of a question that the context does not answer. On SQuAD 1.1, where every question has an
answer, these are the rules of its script.
"""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence

from apps.bert.tasks.examples import QuestionExample

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """The form in which answers are compared.

    >>> normalize_answer("The  Cat's  (an) hat.")
    'cats hat'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, right: str) -> float:
    """1 if both answers are the same, else 0."""
    return float(normalize_answer(answer) == normalize_answer(right))


def f1(answer: str, right: str) -> float:
    """Harmonic mean of precision and recall of the words of an answer."""
    words, right_words = normalize_answer(answer).split(), normalize_answer(right).split()
    if not words or not right_words:
        return float(words == right_words)
    same = sum((Counter(words) & Counter(right_words)).values())
    return 2 * same / (len(words) + len(right_words))


def question_scores(question: QuestionExample, answer: str) -> tuple[float, float]:
    """(exact match, F1) of an answer, "" for none, against the best matching right answer."""
    right = [text for text, _ in question.answers if normalize_answer(text)] or [""]
    return max(exact_match(answer, text) for text in right), max(f1(answer, text) for text in right)


def answer_metrics(
    questions: Sequence[QuestionExample], answers: Mapping[str, str]
) -> dict[str, float]:
    """Means over questions.

    Args:
        questions: at least one.
        answers: answers by question id; a missing one counts as "".

    Returns:
        "exact_match", "f1"; if some questions have no answer also "has_answer_f1",
        "no_answer_f1" and the same of exact matches.
    """
    scores = [question_scores(question, answers.get(question.id, "")) for question in questions]
    metrics = _means("", scores)
    unanswered = [not question.answers for question in questions]
    if any(unanswered):
        for name, wanted in (("has_answer_", False), ("no_answer_", True)):
            part = [score for score, none in zip(scores, unanswered, strict=True) if none == wanted]
            if part:
                metrics |= _means(name, part)
    return metrics


def best_null_threshold(
    questions: Sequence[QuestionExample],
    answers: Mapping[str, str],
    null_odds: Mapping[str, float],
) -> float:
    """The threshold of the odds of no answer for the best F1.

    Args:
        questions: the questions.
        answers: by question id, the best answer that is not "".
        null_odds: by question id, how far the score of "" exceeds that of this answer.

    Returns:
        The threshold, finite: `apply_null_threshold` with it gives the best F1 of all thresholds.
        It lies between the odds of two questions, so that rounding has no influence.
    """
    ordered = sorted(questions, key=lambda question: null_odds[question.id])
    # Start with "" everywhere, then replace it question by question, the surest answer first.
    score = best = sum(not question.answers for question in questions)
    threshold = null_odds[ordered[0].id] - 1.0
    for index, question in enumerate(ordered):
        if question.answers:
            score += question_scores(question, answers[question.id])[1]
        elif answers[question.id]:
            score -= 1
        odds = null_odds[question.id]
        following = null_odds[ordered[index + 1].id] if index + 1 < len(ordered) else odds + 2.0
        # Questions of equal odds are on the same side.
        if score > best and following > odds:
            best, threshold = score, (odds + following) / 2
    return threshold


def apply_null_threshold(
    answers: Mapping[str, str], null_odds: Mapping[str, float], threshold: float
) -> dict[str, str]:
    """Replaces answers by "" where its odds exceed the threshold.

    Args:
        answers: by question id, the best answer that is not "".
        null_odds: by question id, how far the score of "" exceeds that of this answer.
        threshold: float.
    """
    return {name: "" if null_odds[name] > threshold else text for name, text in answers.items()}


def _means(prefix: str, scores: Sequence[tuple[float, float]]) -> dict[str, float]:
    exact, f1s = zip(*scores, strict=True)
    return {
        f"{prefix}exact_match": sum(exact) / len(exact),
        f"{prefix}f1": sum(f1s) / len(f1s),
    }
