"""SQuAD's JSON: answers stand where they say, and what is wrong is named by question."""

import gzip
import json

import pytest

from apps.bert.metrics.squad import answer_metrics
from apps.bert.tasks.read import find_task, read_file
from apps.bert.tasks.squad import read_squad, write_predictions
from shared.common.errors import KerasuiteError

CONTEXT = "Zoë 🍕 ate a pizza in Rome."


def squad(*questions, context=CONTEXT):
    paragraphs = [{"context": context, "qas": list(questions)}]
    return {"version": "v2.0", "data": [{"title": "Pizza", "paragraphs": paragraphs}]}


def question(name, *answers, **more):
    answers = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": name, "question": f"What {name}?", "answers": answers, **more}


def write(path, content):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_questions(tmp_path, ending):
    content = squad(
        question("q1", ("Rome", 21), ("in Rome", 18)),
        question("q2", is_impossible=True, plausible_answers=[{"text": "x", "answer_start": 0}]),
        question("q3", ("🍕", 4)),
    )
    examples = read_squad(write(tmp_path / f"a.json{ending}", content))
    first, second, third = examples.examples
    assert examples.task_type == "question-answering" and examples.problems == ()
    assert first.answers == (("Rome", 21), ("in Rome", 18)) and not first.is_impossible
    assert (second.answers, second.is_impossible) == ((), True)
    assert third.answers == (("🍕", 4),)
    assert (first.id, first.question, first.context) == ("q1", "What q1?", CONTEXT)
    assert first.title == "Pizza"


def test_an_id_that_two_questions_have(tmp_path):
    content = squad(question("q1", ("Rome", 21)), question("q1", ("in Rome", 18)))
    found = read_squad(write(tmp_path / "a.json", content))
    assert len(found.examples) == 1 and found.examples[0].answers == (("Rome", 21),)
    assert len(found.problems) == 1 and "q1: another question has this id" in found.problems[0]


def test_answers_that_are_not_at_their_offset(tmp_path):
    """The question stays: answers are scored by their text; those in place are trained on."""
    content = squad(
        question("good", ("Rome", 21)),
        question("one", ("pizza", 0), ("Rome", 22), ("Milan", 3), ("in Rome", 18)),
        question("before", ("Rome", -5)),
        question("nearest", ("a", 14)),
        question("nowhere", ("Paris", 21)),
        question("empty", ("", 0), ("Rome", None)),
        question("none"),
        question("nothing", ("", 0)),
        {"id": "asks nothing"},
        question("impossible", ("Paris", 0), is_impossible=True),
    )
    path = write(tmp_path / "a.json", content)
    found = read_squad(path)
    assert {example.id: example.answers for example in found.examples} == {
        "good": (("Rome", 21),),
        "one": (("in Rome", 18), ("pizza", 12), ("Rome", 21), ("Milan", None)),
        "before": (("Rome", 21),),
        "nearest": (("a", 16),),
        "nowhere": (("Paris", None),),
        "empty": (("Rome", 21),),
        "impossible": (),
    }
    assert found.notes == (
        f"{path}: 5 answers not at their offset were moved to the nearest place of their text; "
        f"the first: question one: 'pizza' from 0 to 12",
        f"{path}: 2 answers not in their context; they are scored, not trained on; the first: "
        f"question one: 'Milan'",
        f"{path}: 2 answers without a text are left out; the first: question empty",
        f"{path}: 1 questions have no answer that is in their context; they are scored, not "
        f"trained on",
    )
    assert [problem.partition(": ")[2] for problem in found.problems] == [
        "question none: no answer, and is_impossible is not true",
        "question nothing: no answer, and is_impossible is not true",
        "'Pizza', question 9 of a paragraph: no question or no id; check the file",
    ]
    assert len(read_squad(path, labelled=False)) == 9


def test_a_question_without_a_place_is_scored_by_text_and_not_trained_on(tmp_path):
    content = squad(question("good", ("Rome", 21)), question("nowhere", ("Paris", 21)))
    path = write(tmp_path / "a.json", content)
    found = find_task([path], [path])
    assert [example.id for example in found.train.examples] == ["good"]
    assert [example.id for example in found.validation.examples] == ["good", "nowhere"]
    scores = answer_metrics(found.validation.examples, {"good": "rome", "nowhere": "in Paris"})
    assert scores == {"exact_match": 0.5, "f1": (1 + 2 / 3) / 2}
    assert any("were moved" in note or "not trained on" in note for note in found.notes)
    only = write(tmp_path / "b.json", squad(question("nowhere", ("Paris", 21))))
    with pytest.raises(KerasuiteError, match="no question to train on; .*b.json: 1 questions"):
        find_task([only], [path])


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "no valid JSON"),
        (b"\xff\xfe", "no valid JSON"),
        ({"version": "1.1"}, "no list 'data' where SQuAD has one"),
        ([1], "no list 'data'"),
        (
            {"data": [{"title": "a", "paragraphs": [{"qas": []}]}]},
            "paragraph of 'a' has no context",
        ),
        ({"data": []}, "no questions in it; give a SQuAD file"),
        (squad(question("q")), "no questions in it; .*question q: no answer"),
    ],
)
def test_what_is_no_squad_file(tmp_path, content, message):
    with pytest.raises(KerasuiteError, match=message):
        read_squad(write(tmp_path / "a.json", content))


def test_damaged_gzip(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b"{}" * 1000)[:20])
    with pytest.raises(KerasuiteError, match="a.json.gz: is damaged"):
        read_squad(path)


def test_predictions(tmp_path):
    write_predictions(tmp_path / "predictions.json", {"q1": "Zoë", "q2": ""})
    assert json.loads((tmp_path / "predictions.json").read_text()) == {"q1": "Zoë", "q2": ""}


def test_the_real_files(real_data):
    examples = read_squad(real_data / "squad" / "dev-v1.1.json")
    assert len(examples) == 10_570 and examples.problems == ()
    assert len({example.title for example in examples.examples}) == 48
    examples = read_squad(real_data / "squad" / "dev-v2.0-half.json")
    assert sum(example.is_impossible for example in examples.examples) == 3168


@pytest.mark.parametrize("layout", ["lines", "list", "data"])
def test_rows_as_hugging_face_writes_them(tmp_path, layout):
    rows = [
        {"id": "a", "title": "t", "context": "Rome is old.", "question": "What is old?",
         "answers": {"text": ["Rome"], "answer_start": [0]}},
        {"id": "b", "title": "t", "context": "Cairo is big.", "question": "Who?",
         "answers": {"text": [], "answer_start": []}},
        {"context": "Oslo.", "question": "Where?", "answers.text": ["Oslo"],
         "answers.answer_start": [0]},
        {"id": "d", "context": "Oslo.", "question": "Where?", "answers": {"text": ["Oslo"]}},
        {"id": "e", "question": "Where?", "answers": []},
    ]  # fmt: skip
    path = tmp_path / f"train.json{'l' if layout == 'lines' else ''}"
    whole = rows if layout == "list" else {"data": rows}
    lines = "\n".join(map(json.dumps, rows))
    path.write_text(lines if layout == "lines" else json.dumps(whole))
    examples = read_file(path)
    assert examples.task_type == "question-answering"
    first, second, third = examples.examples
    assert (first.id, first.title, first.answers) == ("a", "t", (("Rome", 0),))
    assert second.is_impossible and (third.title, third.answers) == ("Oslo.", (("Oslo", 0),))
    assert [problem.split(": ")[1] for problem in examples.problems] == ["question d", "row 5"]


@pytest.mark.parametrize("answers", [3, "Rome", ["Rome"], [3], {"text": "Rome"}, [[]]])
def test_answers_of_a_wrong_type(tmp_path, answers):
    questions = [
        {"id": name, "question": "Who?", "answers": given}
        for name, given in (("a", answers), ("b", [{"text": "Rome", "answer_start": 0}]))
    ]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "Rome", "qas": questions}]}]}))
    examples = read_squad(path)
    assert [example.id for example in examples.examples] == ["b"]
    assert examples.problems[0].startswith(
        f"{path}: question a: its answers are no list of objects"
    )
