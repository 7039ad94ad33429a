"""Which files are read, as what, and which examples are held out."""

import json

import pytest

from apps.bert.tasks.columns import Columns
from apps.bert.tasks.examples import QuestionExample, TextExample
from apps.bert.tasks.read import find_task, read_file, read_files
from apps.bert.tasks.splits import hold_out, training_files, validation_files
from shared.common.errors import KerasuiteError

TSV = "sentence\tlabel\n" + "".join(f"text {n}\t{n % 2}\n" for n in range(20))
CONLL = "a O\nb B-X\n\nc I-X\nd O\n"
SQUAD = {
    "data": [
        {
            "title": f"t{n}",
            "paragraphs": [
                {
                    "context": "one two",
                    "qas": [
                        {
                            "id": f"{n}-{k}",
                            "question": "?",
                            "answers": [{"text": "two", "answer_start": 4}],
                        }
                        for k in range(3)
                    ],
                }
            ],
        }
        for n in range(4)
    ]
}


def make(folder, **files):
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def names(paths):
    return [path.name for path in paths]


@pytest.mark.parametrize(
    "files, train, validation",
    [
        (["train.tsv", "dev.tsv", "test.tsv"], ["train.tsv"], ["dev.tsv"]),
        (["train.csv", "validation.csv"], ["train.csv"], ["validation.csv"]),
        (["train.tsv", "train_phrases.tsv.gz", "dev.tsv"], ["train.tsv"], ["dev.tsv"]),
        (["eng.train", "eng.testa", "eng.testb"], ["eng.train"], ["eng.testa"]),
        (["train-v1.1.json", "dev-v1.1.json", "README.md"], ["train-v1.1.json"], ["dev-v1.1.json"]),
        (
            ["train.tsv", "dev_matched.tsv", "dev_mismatched.tsv"],
            ["train.tsv"],
            ["dev_matched.tsv"],
        ),
        (["train.jsonl", "val.jsonl", "valid.log"], ["train.jsonl"], ["val.jsonl"]),
        (["reviews.csv", "notes.md", ".train.csv"], ["reviews.csv"], []),
    ],
)
def test_files_of_a_folder(tmp_path, files, train, validation):
    make(tmp_path, **dict.fromkeys(files, "x"))
    assert names(training_files([tmp_path])) == train
    assert names(validation_files([tmp_path], ())) == validation


def test_named_files(tmp_path):
    make(tmp_path, a__tsv="x", b__tsv="x", dev__tsv="x")
    files = [tmp_path / "b.tsv", tmp_path / "a.tsv"]
    assert training_files(files) == files
    assert validation_files(files, ()) == []
    assert validation_files(files, [tmp_path]) == [tmp_path / "dev.tsv"]
    assert validation_files([tmp_path], [files[0]]) == [files[0]]


def test_files_that_are_not_clear(tmp_path):
    with pytest.raises(KerasuiteError, match="no DATA"):
        training_files([])
    with pytest.raises(KerasuiteError, match="nowhere: no such file or folder"):
        training_files([tmp_path / "nowhere"])
    with pytest.raises(KerasuiteError, match="no train.* in it .no readable file."):
        training_files([tmp_path])
    make(tmp_path, train__tsv="x", train__csv="x")
    with pytest.raises(
        KerasuiteError, match="several train files .train.csv, train.tsv.; name one"
    ):
        training_files([tmp_path])
    with pytest.raises(KerasuiteError, match="no dev.* or validation.* in it; name the file"):
        validation_files([], [tmp_path])


def test_hold_out_is_seeded_and_keeps_groups():
    examples = [TextExample(f"text {n % 50}", label=str(n)) for n in range(100)]
    train, held = hold_out(examples, 0.2, seed=1)
    assert hold_out(examples, 0.2, seed=1) == (train, held)
    assert hold_out(examples, 0.2, seed=2)[1] != held
    assert len(held) == 20 and sorted(train + held, key=lambda e: int(e.label)) == examples
    assert not {example.text for example in train} & {example.text for example in held}
    questions = [QuestionExample(str(n), "?", "c", title=f"article {n // 25}") for n in range(100)]
    train, held = hold_out(questions, 0.1, seed=3)
    assert len(held) == 25 and len({question.title for question in held}) == 1
    # The smallest share holds out something, the largest not everything.
    assert len(hold_out(examples, 0.001, seed=1)[1]) == 2
    assert len(hold_out(examples[:2], 0.5, seed=1)[0]) == 1
    with pytest.raises(KerasuiteError, match="too few examples to hold some out"):
        hold_out(questions[:5], 0.5, seed=1)


def test_task_types_are_told_from_the_data(tmp_path):
    swag = "sent1,sent2,ending0,ending1,label\na,b,c,d,1\n"
    pairs = TSV.replace("\t", "\tmore\t").replace("sentence\tmore", "sentence1\tsentence2")
    make(tmp_path, a__tsv=TSV, b__tsv=pairs, c__tsv=pairs.replace("label", "score"), d__csv=swag)
    make(tmp_path, e__train=CONLL, f__txt=CONLL, g__json=json.dumps(SQUAD))
    task_types = ["classification", "pair", "regression", "choice", "tagging", "tagging"]
    task_types.append("question-answering")
    for path, task_type in zip(sorted(tmp_path.iterdir()), task_types, strict=True):
        assert read_file(path).task_type == task_type, path
    with pytest.raises(
        KerasuiteError, match="b.tsv: is of task type pair, but .*a.tsv is of task type class"
    ):
        read_files([tmp_path / "a.tsv", tmp_path / "b.tsv"])
    assert len(read_files([tmp_path / "a.tsv"] * 2)) == 40


def test_a_task_with_and_without_validation_files(tmp_path):
    make(tmp_path, train__tsv=TSV)
    found = find_task([tmp_path], share=0.25, seed=4)
    assert (found.task_type, found.from_split) == ("classification", True)
    assert (len(found.train), len(found.validation)) == (15, 5)
    make(tmp_path, dev__tsv="sentence\tlabel\na\t1\nb\n")
    found = find_task([tmp_path])
    assert (len(found.train), len(found.validation), found.from_split) == (20, 1, False)
    assert found.problems == (
        f"{tmp_path}/dev.tsv:3: 1 columns instead of 2; check tabs and quotes",
    )
    found = find_task([tmp_path / "train.tsv"], columns=Columns("label", label="sentence"))
    both = [*found.train.examples, *found.validation.examples]
    assert {example.text for example in both} == {"0", "1"}


def test_questions_are_held_out_by_article(tmp_path):
    make(tmp_path, a__json=json.dumps(SQUAD))
    found = find_task([tmp_path / "a.json"], share=0.1)
    assert (len(found.train), len(found.validation)) == (9, 3)
    assert len({example.title for example in found.validation.examples}) == 1
    assert found.problems == ()


def test_files_with_another_number_of_choices(tmp_path):
    make(tmp_path, a__csv="sent1,ending0,ending1,label\na,b,c,1\n")
    make(tmp_path, b__csv="sent1,ending0,ending1,ending2,label\na,b,c,d,1\n")
    assert len(read_files([tmp_path / "a.csv"] * 2)) == 2
    with pytest.raises(KerasuiteError) as error:
        read_files([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert str(error.value) == (
        f"{tmp_path}/b.csv: has 3 choices a row, but {tmp_path}/a.csv has 2; "
        f"give files with equally many"
    )


def test_a_table_without_labels(tmp_path):
    make(tmp_path, a__tsv="sentence\na\nb\n")
    with pytest.raises(
        KerasuiteError, match="no row of it can be used; .*a.tsv: 2 rows without a l"
    ):
        read_file(tmp_path / "a.tsv")
    with pytest.raises(KerasuiteError, match="b.tsv: no such file"):
        read_file(tmp_path / "b.tsv")


def test_real_folders(real_data):
    expected = {
        "sst2": ("classification", 6920, 872),
        "cola": ("classification", 8551, 1043),
        "mrpc": ("pair", 3668, 408),
        "rte": ("pair", 2490, 277),
        "stsb": ("regression", 5749, 1500),
        "chnsenticorp": ("classification", 9600, 1200),
        "conll2003": ("tagging", 14041, 3250),
    }
    for name, (task_type, train, validation) in expected.items():
        found = find_task([real_data / name])
        assert (found.task_type, len(found.train), len(found.validation)) == (
            task_type,
            train,
            validation,
        )
        assert found.problems == ()


def test_a_tsv_of_conll_columns(tmp_path):
    """GermEval's: comments of two columns, an index in front, two columns of tags."""
    path = tmp_path / "train.tsv"
    sentence = "#\thttp://x [2009]\n1\tAnna\tB-PER\tO\n2\tsagte\tO\tO\n3\tes\tO\tO\n\n"
    path.write_text(sentence * 5)
    examples = read_file(path)
    assert examples.task_type == "tagging" and len(examples) == 5 and not examples.problems
    assert examples.examples[0].tags == ("B-PER", "O", "O")
