"""Tables of sentences, pairs and choices: the layouts that people have, and what can be wrong."""

import gzip
import json

import pytest

from apps.bert.tasks.columns import Columns
from apps.bert.tasks.examples import ChoiceExample
from apps.bert.tasks.labels import class_names
from apps.bert.tasks.read import read_file
from apps.bert.tasks.text_tables import read_text_table
from shared.common.errors import KerasuiteError


def write(path, rows, separator="\t"):
    content = "".join(separator.join(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def found(examples):
    return [(e.text, e.text_pair, e.label) for e in examples.examples]


# The headers of GLUE's own files, with the columns that count.
GLUE = {
    "SST-2": ("sentence\tlabel", "a film \t1", ("a film ", None, "1"), "classification"),
    "MRPC": (
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String",
        '1\t10\t11\tHe said "yes\tYes "he" said',
        ('He said "yes', 'Yes "he" said', "1"),
        "pair",
    ),
    "STS-B": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        "0\tmain\tx\t2012\t1\tnone\tnone\tA plane.\tA jet.\t5.000",
        ("A plane.", "A jet.", 5.0),
        "regression",
    ),
    "QQP": (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
        "1\t2\t3\tWho?\tWhat?\t0",
        ("Who?", "What?", "0"),
        "pair",
    ),
    "MNLI": (
        "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
        "sentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label",
        "0\t1\t1n\tfiction\t( a )\t( b )\t(S a)\t(S b)\tOne.\tTwo.\tneutral\tentailment",
        ("One.", "Two.", "entailment"),
        "pair",
    ),
    "QNLI": (
        "index\tquestion\tsentence\tlabel",
        "0\tWhen?\tIn May.\tentailment",
        ("When?", "In May.", "entailment"),
        "pair",
    ),
    "RTE": (
        "index\tsentence1\tsentence2\tlabel",
        "0\tOne.\tTwo.\tnot_entailment",
        ("One.", "Two.", "not_entailment"),
        "pair",
    ),
}


@pytest.mark.parametrize("name", GLUE)
@pytest.mark.parametrize("ending", ["tsv", "tsv.gz"])
def test_the_files_of_glue(tmp_path, name, ending):
    header, row, expected, task_type = GLUE[name]
    path = write(tmp_path / f"train.{ending}", [[header], [row]])
    examples = read_text_table(path)
    assert (examples.task_type, found(examples)) == (task_type, [expected])
    assert examples.problems == examples.notes == ()
    assert examples.examples[0].id == f"{path}:2"


def test_cola_has_no_header(tmp_path):
    rows = [["gj04", "1", "", "Our friends won't buy."], ["gj04", "0", "*", "They read me."]]
    examples = read_text_table(write(tmp_path / "train.tsv", rows))
    assert found(examples) == [
        ("Our friends won't buy.", None, "1"),
        ("They read me.", None, "0"),
    ]


@pytest.mark.parametrize("label_first", [True, False])
def test_two_columns_without_a_header(tmp_path, label_first):
    rows = [(f"text {number}", "good" if number % 3 else "bad") for number in range(9)]
    path = write(tmp_path / "x.tsv", [row[::-1] if label_first else row for row in rows])
    assert found(read_text_table(path)) == [(text, None, label) for text, label in rows]


def test_csv_with_quotes_and_line_ends(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('text,label\n"one, ""two""\nthree",good\nfour,bad\n', encoding="utf-8")
    examples = read_text_table(path)
    assert found(examples) == [('one, "two"\nthree', None, "good"), ("four", None, "bad")]
    assert examples.examples[1].id == f"{path}:4"
    path.write_text('text,label\n"one"two,good\n', encoding="utf-8")
    with pytest.raises(KerasuiteError, match="x.csv:2: no valid CSV .*give a .tsv"):
        read_text_table(path)


def test_json_lines(tmp_path):
    path = tmp_path / "x.jsonl"
    objects = [
        {"premise": "a", "hypothesis": "b", "label": 1},
        {"label": 0, "premise": "c", "hypothesis": "d", "more": [1]},
        {"premise": "e", "hypothesis": "f", "label": None},
    ]
    lines = [json.dumps(value) for value in objects]
    path.write_text("\n".join([*lines, "{", "[1]", '{"premise": "g"}']), encoding="utf-8")
    examples = read_text_table(path)
    assert examples.task_type == "pair"
    assert found(examples) == [("a", "b", "1"), ("c", "d", "0")]
    wrong = [problem.split(": ")[0] for problem in examples.problems]
    assert wrong == [f"{path}:4", f"{path}:5", f"{path}:6"]
    assert examples.notes == (f"{path}: 1 rows without a label are left out",)


def test_json_lines_that_lack_a_key(tmp_path):
    """With and without labels: an absent text is no empty text."""
    path = tmp_path / "x.jsonl"
    objects = [{"text": "a", "label": 1}, {"label": 1}, {"text": None}, {"text": "", "label": 0}]
    path.write_text("".join(f"{json.dumps(value)}\n" for value in objects))
    lacking = tuple(f"{path}:{row}: no 'text' in it; add it or remove the row" for row in (2, 3))
    examples = read_text_table(path, labelled=False)
    assert (found(examples), examples.problems) == ([("a", None, "1"), ("", None, "0")], lacking)
    empty = f"{path}:4: an empty 'text'; fill it in or remove the row"
    assert read_text_table(path).problems == (*lacking, empty)


def test_numbers_are_classes_unless_they_are_scores(tmp_path):
    def found_type(name, values, **options):
        rows = [["text", name], *([f"t{n}", value] for n, value in enumerate(values))]
        return read_text_table(write(tmp_path / "x.tsv", rows), **options).task_type

    assert found_type("label", ["0", "1", "2"]) == "classification"
    assert found_type("label", ["0.5", "1", "2"]) == "regression"
    assert found_type("score", ["0", "1", "2"]) == "regression"
    assert found_type("score", ["low", "1", "2"]) == "classification"
    assert found_type("label", ["nan", "1", "2"]) == "classification"
    assert found_type("score", ["0", "1"], task_type="classification") == "classification"
    assert found_type("label", ["0", "1"], task_type="regression") == "regression"


def test_named_columns(tmp_path):
    path = write(tmp_path / "x.tsv", [["id", "q", "a", "ok"], ["1", "why", "so", "y"]])
    examples = read_text_table(path, Columns("q", "a", "ok"))
    assert (examples.task_type, found(examples)) == ("pair", [("why", "so", "y")])
    assert found(read_text_table(path, Columns("a", label="id"))) == [("so", None, "1")]
    with pytest.raises(KerasuiteError, match="no column 'b' .--pair-column.; it has: id, q, a, ok"):
        read_text_table(path, Columns("q", "b", "ok"))
    with pytest.raises(KerasuiteError, match="which column holds the text.* one of: 1, 2, 3, 4"):
        read_text_table(path)
    rows = write(tmp_path / "y.tsv", [["why", "so", "y"], ["how", "thus", "n"]])
    assert found(read_text_table(rows, Columns("2", "1", "3")))[1] == ("thus", "how", "n")


def test_columns_of_a_model(tmp_path):
    """They are used where a table has them; else columns are looked for as always."""
    model = Columns("q", "a", "ok")
    header = ["text", "q", "a"]
    path = write(tmp_path / "x.tsv", [header, ["no", "why", "so"]])
    assert found(read_text_table(path, model, labelled=False)) == [("why", "so", None)]
    path = write(tmp_path / "y.tsv", [header[:2], ["yes", "why"]])
    assert found(read_text_table(path, model, labelled=False)) == [("yes", None, None)]
    path = write(tmp_path / "z.tsv", [["first", "q"], ["yes", "why"]])
    with pytest.raises(KerasuiteError, match="which column holds the text. Call it 'text', one of"):
        read_text_table(path, model, labelled=False)
    rows = write(tmp_path / "rows.tsv", [["1", "why"], ["2", "how"]])
    assert found(read_text_table(rows, Columns("2"), labelled=False))[1] == ("how", None, None)


def test_who_names_a_text_gets_no_pair(tmp_path):
    rows = [["sentence1", "sentence2", "label"], ["a", "b", "1"]]
    path = write(tmp_path / "x.tsv", rows)
    assert found(read_text_table(path, Columns("sentence2"))) == [("b", None, "1")]


def test_rows_that_cannot_be_used(tmp_path):
    rows = [
        ["sentence1", "sentence2", "gold_label"],
        ["a", "b", "yes"],
        ["a", "b"],
        ["a", "", "no"],
        ["a", "b", "-"],
        ["a", "b", "no", "more"],
        [""],
        ["c\0d", "e", "no"],
    ]
    path = write(tmp_path / "x.tsv", rows)
    examples = read_text_table(path)
    assert found(examples) == [("a", "b", "yes"), ("c\0d", "e", "no")]
    assert examples.problems == (
        f"{path}:3: 2 columns instead of 3; check tabs and quotes",
        f"{path}:6: 4 columns instead of 3; check tabs and quotes",
        f"{path}:4: an empty 'sentence2'; fill it in or remove the row",
    )
    assert examples.notes == (f"{path}: 1 rows without a label are left out",)


def test_a_label_that_is_no_number(tmp_path):
    rows = [["text", "score"], ["a", "1.5"], ["b", "much"]]
    path = write(tmp_path / "x.tsv", rows)
    examples = read_text_table(path, task_type="regression")
    assert found(examples) == [("a", None, 1.5)]
    assert examples.problems == (f"{path}:3: 'much' is no number; mend it",)


def test_without_labels_for_prediction(tmp_path):
    path = write(tmp_path / "x.tsv", [["sentence"], ["a"], ["b"]])
    assert found(read_text_table(path, labelled=False)) == [("a", None, None), ("b", None, None)]
    path = write(tmp_path / "x.txt", [["first line"], ["second line"]])
    texts = [e.text for e in read_text_table(path, labelled=False).examples]
    assert texts == ["first line", "second line"]


def test_swag(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(
        ",video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label\n"
        "0,v,1,x,She sits.,She,gold,sings,runs,eats,sleeps,2\n"
        "1,v,1,x,He sits.,He,gold,sings,runs,eats,sleeps,4\n"
        "2,v,1,x,He sits.,He,gold,sings,runs,eats,sleeps,\n"
    )
    examples = read_text_table(path)
    choices = ("She sings", "She runs", "She eats", "She sleeps")
    assert examples.task_type == "choice"
    assert examples.examples == [ChoiceExample("She sits.", choices, 2, f"{path}:2")]
    assert examples.problems == (f"{path}:3: label '4' is not one of 0 to 3; mend it",)
    assert len(read_text_table(path, labelled=False)) == 2


@pytest.mark.parametrize("labelled", [True, False])
def test_a_row_with_fewer_choices(tmp_path, labelled):
    path = tmp_path / "train.csv"
    path.write_text("sent1,sent2,ending0,ending1,label\na,She,b,c,0\na,She,b,,0\n")
    examples = read_text_table(path, labelled=labelled)
    assert [example.choices for example in examples.examples] == [("She b", "She c")]
    assert examples.problems == (f"{path}:3: an empty 'ending1'; fill it in or remove the row",)
    path = tmp_path / "train.jsonl"
    objects = [
        {"sent1": "a", "ending0": "b", "ending1": "c", "label": 1},
        {"sent1": "a", "ending0": "b", "label": 0},
    ]
    path.write_text("".join(f"{json.dumps(value)}\n" for value in objects))
    examples = read_text_table(path, labelled=labelled)
    assert len(examples) == 1
    assert examples.problems == (f"{path}:2: no 'ending1' in it; add it or remove the row",)


def test_task_types_that_the_columns_cannot_be(tmp_path):
    path = write(tmp_path / "x.tsv", [["text", "label"], ["a", "1"]])
    with pytest.raises(KerasuiteError, match="--task-type pair needs a column of second texts"):
        read_text_table(path, task_type="pair")
    with pytest.raises(KerasuiteError, match="--task-type choice needs columns like ending0"):
        read_text_table(path, task_type="choice")


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "x.tsv: is empty"),
        (b"text\tlabel\n", "x.tsv: no rows in it"),
        (b"text\tlabel\nonly one\n", "x.tsv: no rows in it; .*x.tsv:2: 1 columns instead of 2"),
        (b"\x89PNG\0\0\0\0\0\0", "x.tsv: is no text file"),
    ],
)
def test_what_is_no_table(tmp_path, content, message):
    (tmp_path / "x.tsv").write_bytes(content)
    with pytest.raises(KerasuiteError, match=message):
        read_text_table(tmp_path / "x.tsv")


def test_class_names_are_sorted(tmp_path):
    rows = [["text", "label"], *([f"t{n}", str(n)] for n in (10, 9, 2))]
    assert class_names(read_text_table(write(tmp_path / "x.tsv", rows)).examples) == [
        "2",
        "9",
        "10",
    ]


TEXTS = [
    (f"{text} {n}", label)
    for n in range(20)
    for text, label in (("it is a fine film", "good"), ("it was dull, and long", "bad"))
]


@pytest.mark.parametrize("missing", ["nan", "NaN", "None", "null", "NA", "N/A", "<NA>", ""])
def test_missing_labels(tmp_path, missing):
    """One of them makes neither a class, nor a class of every number."""
    rows = [["text", "score"], *([f"text {n}", str(n / 3)] for n in range(9)), ["odd", missing]]
    path = write(tmp_path / "x.tsv", rows)
    examples = read_text_table(path)
    assert examples.task_type == "regression" and len(examples) == 9
    (note,) = examples.notes
    assert "1 rows without a label" in note and missing in note
    rows = [["text", "label"], ["a", "0.0"], ["b", missing], ["c", "1.0"]]
    examples = read_text_table(write(tmp_path / "y.tsv", rows))
    assert class_names(examples.examples) == ["0.0", "1.0"]


def test_one_odd_value_among_numbers_is_named(tmp_path):
    rows = [["text", "score"], *([f"text {n}", str(n / 3)] for n in range(9)), ["odd", "n/k"]]
    path = write(tmp_path / "x.tsv", rows)
    examples = read_text_table(path)
    assert (examples.task_type, len(examples)) == ("regression", 9)
    assert examples.problems == (f"{path}:11: 'n/k' is no number; mend it",)


def test_decimal_commas(tmp_path):
    rows = [["text", "score"], ["a, b", "3,5"], ["c", "0,25"], ["d", "4"]]
    path = write(tmp_path / "x.csv", rows, ";")
    examples = read_text_table(path)
    assert [label for *_, label in found(examples)] == [3.5, 0.25, 4.0]
    parted, commas = examples.notes
    assert "parted by semicolons" in parted and "decimal commas" in commas


@pytest.mark.parametrize("header", [("v1", "v2"), ("Message", "Kind"), ("the text", "is_spam?")])
@pytest.mark.parametrize("label_first", [True, False])
def test_headers_of_unknown_names(tmp_path, header, label_first):
    order = -1 if label_first else 1
    rows = [row[::order] for row in TEXTS]
    path = write(tmp_path / "x.tsv", [header, *rows])
    examples = read_text_table(path)
    assert class_names(examples.examples) == ["bad", "good"] and len(examples) == len(TEXTS)
    (note,) = examples.notes
    assert f"the first row ({', '.join(header)}) is taken for a header" in note
    assert found(read_text_table(path, Columns(header[0])))[0][0] == rows[0][0]


@pytest.mark.parametrize(
    "first",
    [
        ("a film like no other .", "mixed"),
        ("nice", "good"),
        ("it is a fine film 3", "x"),
        ("7", "x"),
    ],
)
def test_first_examples_are_no_headers(tmp_path, first):
    examples = read_text_table(write(tmp_path / "x.tsv", [first, *TEXTS]))
    assert found(examples)[0] == (first[0], None, first[1]) and examples.notes == ()


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("header", [[("text", "label")], []])
def test_other_delimiters_of_csv(tmp_path, delimiter, header):
    path = write(tmp_path / "x.csv", [*header, *TEXTS], delimiter)
    examples = read_text_table(path)
    assert found(examples)[1] == ("it was dull, and long 0", None, "bad")
    assert "the columns are parted by" in examples.notes[0]


def test_latin_1_and_utf16(tmp_path):
    content = "text\tlabel\nça va\tgood\nnaïve\tbad\n"
    path = tmp_path / "x.tsv"
    path.write_bytes(content.encode("latin-1"))
    (problem,) = read_text_table(path).file_problems
    assert problem.startswith(f"{path}: 2 line(s) are not UTF-8, first line 2")
    path.write_bytes(content.encode("utf-16"))
    examples = read_text_table(path)
    assert (found(examples)[0][0], examples.file_problems) == ("ça va", ())


@pytest.mark.parametrize("layout", ["lines", "list", "data"])
def test_json_called_json(tmp_path, layout):
    objects = [{"text": "a", "label": 1}, {"text": "b", "label": 0}, 3]
    path = tmp_path / "train.json"
    lines = "\n".join(map(json.dumps, objects))
    whole = objects if layout == "list" else {"data": objects}
    path.write_text(lines if layout == "lines" else json.dumps(whole))
    examples = read_file(path)
    assert found(examples) == [("a", None, "1"), ("b", None, "0")]
    assert len(examples.problems) == 1 and examples.problems[0].startswith(f"{path}:3: ")
    path.write_text("[" * 100_000)
    with pytest.raises(KerasuiteError, match="train.json: (no valid JSON|its JSON is nested too)"):
        read_file(path)


def test_half_characters_of_json_are_replaced(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "a \\ud83d b \\ud83d\\ude00", "label": "\\udc00"}\n')
    (example,) = read_text_table(path).examples
    assert (example.text, example.label) == ("a \ufffd b \U0001f600", "\ufffd")


@pytest.mark.parametrize("header", ["v1,v2,,,", "label,text,,,"])
def test_last_columns_without_name_or_text(tmp_path, header):
    """As spreadsheets write them."""
    rows = [f"{'spam' if n % 3 else 'ham'},see you at {n},,," for n in range(30)]
    path = tmp_path / "x.csv"
    path.write_text("\n".join([header, *rows, "ham,see you,odd,,"]) + "\n")
    examples = read_text_table(path)
    assert len(examples) == 31 and class_names(examples.examples) == ["ham", "spam"]
    assert examples.notes[0] == (
        f"{path}: 1 rows have text in columns without a name, which are left out"
    )


def test_parquet_is_read_as_the_same_table_in_csv_is(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    from pyarrow import parquet

    rows = {"text": ["a film", "two\nlines", "third"], "label": [0, 1, None]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text('text,label\na film,0\n"two\nlines",1\nthird,\n')
    ours, theirs = (read_file(tmp_path / name) for name in ("a.parquet", "a.csv"))
    assert found(ours) == found(theirs) == [("a film", None, "0"), ("two\nlines", None, "1")]
    assert ours.task_type == theirs.task_type == "classification"
    assert "1 rows without a label are left out" in ours.notes[0]
    assert ours.examples[1].id.endswith("a.parquet:2")


def test_what_is_no_parquet_is_named(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(KerasuiteError, match="a.parquet: is no Parquet file"):
        read_file(tmp_path / "a.parquet")
