"""Batch inference of translation: a line for each line, whatever the lines are."""

import csv
import functools
import gzip
import io
import json
import shutil

import pytest

from apps.translation.prediction.long_lines import cut_line
from apps.translation.prediction.search import Search
from apps.translation.predictor import TranslationPredictor
from shared.common.errors import KerasuiteError, UsageError
from shared.common.inputs import find_inputs
from shared.engine.prediction.predict import predict
from shared.engine.saved_model import loaded_model
from shared.engine.saved_model.loaded_model import LoadedModel
from tests.apps.translation.toy_translator import save_toy

LONG = " ".join(f"w{number}" for number in range(50_000))
FILES = {
    "a.txt": "one two\n\n   \nthree\nfour five six\n",
    "deep/crlf.en": "a b\r\n\r\nc d\r\n",
    "deep/no_end.txt": "a b\nc",
    "empty.txt": "",
    "blank.txt": "\n\n\n",
    "long.txt": f"short\n{LONG}\nlast one\n",
    "strange.txt": "a\x00b\nx\u2028y z\n\x07\x1b\nbad\n\ufeff\n▁\n",
    "predictions.jsonl": "my own file\n",
    "errors.jsonl": "one more\n",
}
EXPECTED = {
    "a.txt": ["TWO ONE", "", "", "THREE", "SIX FIVE FOUR"],
    "deep/crlf.en": ["B A", "", "D C"],
    "deep/no_end.txt": ["B A", "C"],
    "empty.txt": [],
    "blank.txt": ["", "", ""],
    "strange.txt": ["B A", "Z Y X", "", "A B\ufffd \ufffdC", "", ""],
    "predictions.jsonl": ["FILE OWN MY"],
    "errors.jsonl": ["MORE ONE"],
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """(SavedModel, folder of texts); every test loads the same model."""
    folder = tmp_path_factory.mktemp("translate")
    for name, content in FILES.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    (folder / "in/latin.txt").write_bytes(b"gr\xfc\xdfe dich\ngut\n")
    with gzip.open(folder / "in/packed.txt.gz", "wb") as file:
        file.write(b"p q\nr\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded_model, "_load", functools.cache(loaded_model._load))
        yield save_toy(folder / "model"), folder / "in"


def run(toy, output, *, inputs=None, batch_size=8, **options):
    """Runs the prediction of the command."""
    own = ("format", "resume", "shard")
    engine = {name: options.pop(name) for name in own if name in options}
    kept = ("scores", "alignments", "max_words")
    others = {name: options.pop(name) for name in kept if name in options}
    predictor = TranslationPredictor(**others, search=Search(**options))
    sources = find_inputs(inputs or [toy[1]], output=output, shard=engine.get("shard"))
    return predict(
        toy[0], sources, predictor, output, batch_size=batch_size, progress=False, **engine
    )


def text_file(folder, *lines):
    path = folder / "in.txt"
    path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return [path]


def lines(path):
    text = path.read_bytes().decode()
    assert not text or text.endswith("\n")
    return text.split("\n")[:-1]


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# Files


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_files_keep_their_names_and_lines(toy, tmp_path, format):
    summary = run(toy, tmp_path / "out", format=format)
    written = tmp_path / "out/translations"
    for name, expected in EXPECTED.items():
        assert lines(written / name) == expected, name
    assert gzip.decompress((written / "packed.txt.gz").read_bytes()) == b"Q P\nR\n"
    assert lines(written / "latin.txt") == ["DICH GR\ufffd\ufffdE", "GUT"]
    names = {path.relative_to(toy[1]) for path in toy[1].rglob("*") if path.is_file()}
    assert {path.relative_to(written) for path in written.rglob("*") if path.is_file()} == names
    assert summary.rejected == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "predictions.jsonl",
        *(["predictions.csv"] if format == "csv" else []),
        "predict.json",
        ".written",
        "translations",
    }


def test_a_line_of_fifty_thousand_words(toy, tmp_path):
    run(toy, tmp_path / "out", inputs=[toy[1] / "long.txt"], max_words=100, scores=True)
    first, long, last = lines(tmp_path / "out/translations/long.txt")
    assert (first, last) == ("SHORT", "ONE LAST")
    pieces = cut_line(LONG.upper(), 100)
    assert long.split() == sum([piece.split()[::-1] for piece in pieces], [])
    assert sorted(long.split()) == sorted(LONG.upper().split())
    found = rows(tmp_path / "out/predictions.jsonl")
    assert [row["notes"] for row in found] == [[], [f"translated in {len(pieces)} pieces"], []]
    assert [row["score"] for row in found] == [-1.0, -50_000.0, -2.0]


def test_sentences_of_a_long_line_are_joined_as_their_language_does(toy, tmp_path):
    inputs = text_file(tmp_path, "One two. Three four five.\n")
    run(toy, tmp_path / "de", inputs=inputs, max_words=3)
    assert lines(tmp_path / "de/translations/in.txt") == ["TWO. ONE FIVE. FOUR THREE"]
    chinese = save_toy(tmp_path / "chinese", "zh")
    run((chinese, None), tmp_path / "zh", inputs=inputs, max_words=3)
    assert lines(tmp_path / "zh/translations/in.txt") == ["TWO. ONEFIVE. FOUR THREE"]


def test_records_say_what_happened(toy, tmp_path):
    inputs = text_file(tmp_path, b"a\xff\n", b"\n", b"b c\n")
    run(toy, tmp_path / "out", inputs=inputs)
    assert rows(tmp_path / "out/predictions.jsonl") == [
        {
            "file": "in.txt",
            "line": 1,
            "translation": "A\ufffd",
            "score": -1.0,
            "notes": ["invalid UTF-8 was replaced"],
        },
        {"file": "in.txt", "line": 2, "translation": "", "score": 0.0, "notes": []},
        {"file": "in.txt", "line": 3, "translation": "C B", "score": -2.0, "notes": []},
    ]


def test_lines_that_the_model_cannot_take_stay_empty(toy, tmp_path):
    inputs = text_file(tmp_path, "a\nto fail here\nb c\n")
    summary = run(toy, tmp_path / "out", inputs=inputs, scores=True, n_best=2)
    assert (summary.done, summary.rejected) == (2, 1)
    assert lines(tmp_path / "out/translations/in.txt") == ["A/0", "", "C B/0"]
    assert lines(tmp_path / "out/scores/in.txt") == ["-1.0", "", "-2.0"]
    assert [line[0] for line in lines(tmp_path / "out/n_best/in.txt")] == ["0", "0", "2", "2"]
    (error,) = rows(tmp_path / "out/errors.jsonl")
    assert error == {"file": "in.txt", "line": 2, "error": "assertion failed: [bad content]"}


def test_damaged_files_do_not_stop_the_others(toy, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.gz").write_bytes(b"no gzip\n")
    (tmp_path / "in/b.txt.gz").write_bytes(gzip.compress(b"a b\n" * 999)[:-20])
    (tmp_path / "in/c.txt").write_bytes(b"c d\n")
    summary = run(toy, tmp_path / "out", inputs=[tmp_path / "in"])
    assert (summary.done, summary.rejected) == (1, 2)
    assert lines(tmp_path / "out/translations/c.txt") == ["D C"]
    errors = [row["error"] for row in rows(tmp_path / "out/errors.jsonl")]
    assert "a.gz is damaged" in errors[0] and "b.txt.gz is damaged" in errors[1]


def test_standard_input(toy, tmp_path, monkeypatch):
    class Stream:
        buffer = io.BytesIO(b"a b\n\nc")

    monkeypatch.setattr("sys.stdin", Stream)
    run(toy, tmp_path / "out", inputs=["-"])
    assert lines(tmp_path / "out/translations/stdin") == ["B A", "", "C"]


# Further results


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_n_best_as_moses_writes_it(toy, tmp_path, format):
    inputs = text_file(tmp_path, "a b\n\nc\n")
    run(toy, tmp_path / "out", inputs=inputs, n_best=5, format=format)
    assert lines(tmp_path / "out/n_best/in.txt") == [
        "0 ||| B A/0 ||| -2.0",
        "0 ||| B A/1 ||| -2.25",
        "0 ||| B A/2 ||| -2.5",
        "1 |||  ||| 0.0",
        "2 ||| C/0 ||| -1.0",
        "2 ||| C/1 ||| -1.25",
        "2 ||| C/2 ||| -1.5",
    ]
    assert lines(tmp_path / "out/translations/in.txt") == ["B A/0", "", "C/0"]


def test_n_best_of_a_line_in_pieces(toy, tmp_path):
    inputs = text_file(tmp_path, "a. b c.\n")
    run(toy, tmp_path / "out", inputs=inputs, n_best=3, max_words=2)
    assert lines(tmp_path / "out/n_best/in.txt") == [
        "0 ||| A./0 C. B/0 ||| -3.0",
        "0 ||| A./0 C. B/1 ||| -3.25",
        "0 ||| A./1 C. B/0 ||| -3.25",
    ]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_alignments_as_pharaoh_writes_them(toy, tmp_path, format):
    inputs = text_file(tmp_path, "a b c\n\nd\ne f. g h i.\n")
    run(toy, tmp_path / "out", inputs=inputs, alignments=True, max_words=3, format=format)
    assert lines(tmp_path / "out/alignments/in.txt") == [
        "2-0 1-1 0-2",
        "",
        "0-0",
        "1-0 0-1 4-2 3-3 2-4",
    ]
    if format == "jsonl":
        last = rows(tmp_path / "out/predictions.jsonl")[-1]
        assert last["source_pieces"] == ["E", "F.", "G", "H", "I."]
        assert last["target_pieces"] == ["F.", "E", "I.", "H", "G"]


def test_scores_are_the_same_in_both_formats(toy, tmp_path):
    inputs = text_file(tmp_path, "a b\n\nc\n")
    for format in ("jsonl", "csv"):
        run(toy, tmp_path / format, inputs=inputs, scores=True, format=format)
        assert lines(tmp_path / format / "scores/in.txt") == ["-2.0", "0.0", "-1.0"]
    with open(tmp_path / "csv/predictions.csv", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [row["translation"] for row in found] == ["B A", "", "C"]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"beam_size": 7, "length_penalty": 0.5}, "7 0.5"),
        ({"beam_size": 7}, "7 0.6"),
        ({"length_penalty": 0.0}, "4 0"),
        ({"sample": True, "temperature": 0.5, "top_p": 0.25, "seed": 7}, "0.5 0 0.25 7"),
        ({"sample": True}, "1 0 1 1"),
        ({"n_best": 3, "beam_size": 7, "length_penalty": 0.5}, "7 0.5/0"),
    ],
)
def test_options_reach_the_model(toy, tmp_path, options, shown):
    inputs = text_file(tmp_path, "a\n")
    run(toy, tmp_path / "out", inputs=inputs, **options)
    assert lines(tmp_path / "out/translations/in.txt") == [f"A {shown}"]


def test_max_words_out_of_bounds():
    with pytest.raises(UsageError, match="--max-words 0: give at least 1"):
        TranslationPredictor(max_words=0)


# Order, resume


def test_lines_of_similar_length_share_a_batch(toy, tmp_path, monkeypatch):
    counts = [(number * 37) % 64 for number in range(64)]
    inputs = text_file(tmp_path, *("w " * count + "\n" for count in counts))
    seen = []
    original = TranslationPredictor.call

    def call(self, model, examples):
        seen.append([len(example["text"].split()) for example in examples])
        return original(self, model, examples)

    monkeypatch.setattr(TranslationPredictor, "call", call)
    run(toy, tmp_path / "out", inputs=inputs)
    assert seen == [list(range(begin, begin + 8)) for begin in range(0, 64, 8)]
    found = [len(line.split()) for line in lines(tmp_path / "out/translations/in.txt")]
    assert found == counts


@pytest.mark.parametrize(
    ("format", "result"), [("jsonl", "n_best"), ("csv", "n_best"), ("jsonl", "alignments")]
)
def test_resume_gives_the_same_bytes(toy, tmp_path, format, result):
    inputs = tmp_path / "in"
    inputs.mkdir()
    (inputs / "a.txt").write_text("".join("w " * (n * 5 % 13) + "\n" for n in range(40)))
    (inputs / "b.txt.gz").write_bytes(gzip.compress(b"x y\nto fail\n\n\xff z\n"))
    (inputs / "c.txt").write_text("")
    reference, output = tmp_path / "reference", tmp_path / "out"
    options = {"inputs": [inputs], "scores": True, result: 2}
    options |= {"format": format, "batch_size": 2}
    run(toy, reference, **options)
    expected = tree(reference)
    log = "predictions.jsonl"
    ends = [i + 1 for i, byte in enumerate(expected[log]) if byte == ord("\n")]
    for end in (0, ends[0], ends[16] + 9, ends[len(ends) // 2], ends[-1]):
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(reference, output)
        for folder in ("translations", result, "scores"):
            shutil.rmtree(output / folder)
        (output / log).write_bytes(expected[log][:end])
        (output / "predictions.csv").unlink(missing_ok=True)
        if end < ends[-2]:
            (output / "errors.jsonl").unlink()
        run(toy, output, resume=True, **options)
        assert tree(output).keys() - {"errors.jsonl"} <= expected.keys()
        written = tree(output)
        assert written[log] == expected[log] and written["errors.jsonl"] == expected["errors.jsonl"]
        assert all(expected[name] == content for name, content in written.items())
        if end < ends[-2]:
            assert written == expected
    with pytest.raises(KerasuiteError, match="cannot resume"):
        run(toy, output, resume=True, **(options | {"scores": False}))


def test_a_model_without_the_signature(toy, tmp_path):
    model = LoadedModel(toy[0])
    signatures = dict(model.module.signatures)
    signatures.pop("align")

    class Without:
        path = model.path
        module = type("Module", (), {"signatures": signatures})

    with pytest.raises(KerasuiteError, match="has no signature align"):
        TranslationPredictor(alignments=True).start(Without())


# Scripts

RUSSIAN = "Все счастливые семьи похожи друг на друга\n"


def warnings(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if "warning" in line]


def test_files_in_another_script_are_warned_of_once(toy, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("b.txt", "c.txt"):
        (tmp_path / "in" / name).write_text(RUSSIAN * 3 + "a b\n" + RUSSIAN, encoding="utf-8")
    (tmp_path / "in/a.txt").write_text("one two three\n" * 4 + RUSSIAN, encoding="utf-8")
    run(toy, tmp_path / "out", inputs=[tmp_path / "in"])
    (warning,) = warnings(capsys)
    assert warning.startswith("warning: b.txt: the source sentences are")
    assert "CYRILLIC" in warning and "LATIN" in warning


@pytest.mark.parametrize(
    "text", ["Москва\n", "one two three four\n" + RUSSIAN[:12], "", "123\n" * 9]
)
def test_short_or_few_foreign_lines_are_no_sign(toy, tmp_path, capsys, text):
    run(toy, tmp_path / "out", inputs=text_file(tmp_path, text))
    assert warnings(capsys) == []


def test_long_files_are_judged_by_their_beginning(toy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("apps.translation.predictor.LINES_READ", 3)
    text = RUSSIAN * 3 + "many Latin letters in very many words\n" * 20
    run(toy, tmp_path / "out", inputs=text_file(tmp_path, text))
    assert len(warnings(capsys)) == 1
    run(toy, tmp_path / "again", inputs=text_file(tmp_path, text.split("\n", 3)[-1] + RUSSIAN))
    assert warnings(capsys) == []


def test_an_export_that_knows_no_scripts_says_nothing(tmp_path, capsys):
    model = save_toy(tmp_path / "old")
    old = json.dumps({"source": "en", "target": "zh"})
    (model / "assets.extra/languages.json").write_text(old)
    inputs = text_file(tmp_path, RUSSIAN + "One. Two.\n")
    run((model, None), tmp_path / "out", inputs=inputs, max_words=1)
    assert warnings(capsys) == []
    assert lines(tmp_path / "out/translations/in.txt")[1] == "ONE.TWO."


# Equal texts


def test_a_text_is_listed_once(toy, tmp_path):
    """Two rows of tokens may give one text, as the toy's second one does."""
    inputs = text_file(tmp_path, "twice\n")
    run(toy, tmp_path / "out", inputs=inputs, n_best=3)
    assert lines(tmp_path / "out/n_best/in.txt") == [
        "0 ||| TWICE/0 ||| -1.0",
        "0 ||| TWICE/2 ||| -1.5",
    ]
    # Of a line in pieces there are others, which replace the repeated ones.
    run(toy, tmp_path / "pieces", inputs=text_file(tmp_path, "twice b\n"), n_best=3, max_words=1)
    found = lines(tmp_path / "pieces/n_best/in.txt")
    assert [line.rpartition(" ")[2] for line in found] == ["-2.0", "-2.25", "-2.5"]
    assert len(set(found)) == 3
