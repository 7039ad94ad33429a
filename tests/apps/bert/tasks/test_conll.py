"""CoNLL columns: schemes are recognised and converted, ragged lines named, spans never lost."""

import gzip
import itertools

import pytest

from apps.bert.tasks.columns import Columns
from apps.bert.tasks.conll import (
    conll_lines,
    looks_like_conll,
    read_conll,
    tag_scheme,
    to_iob2,
)
from apps.bert.tasks.labels import tag_names
from shared.common.errors import KerasuiteError

IOB1 = """-DOCSTART- -X- O O

West NNP I-NP I-MISC
Indian NNP I-NP I-MISC
Phil NNP I-NP I-PER
Smith NNP I-NP B-PER
said VBD I-VP O

LONDON NNP I-NP I-LOC
1996-08-30 CD I-NP O
"""


def write(path, text):
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def spans(tags, scheme):
    """(type, first, last) of each span, by the definition of one scheme."""
    found, begin = [], None
    for position, tag in enumerate([*tags, "O"]):
        letter, _, kind = tag.partition("-")
        before = tags[position - 1] if position else "O"
        if scheme == "IOB1":
            new = tag != "O" and (letter == "B" or before == "O" or before[2:] != kind)
        else:
            new = letter in ("B", "S")
        if begin is not None and (tag == "O" or new):
            found.append((tags[begin][2:], begin, position - 1))
            begin = None
        if new:
            begin = position
    return found


def written(parts, scheme):
    """Tags of a row of spans and gaps: (type, length), "" for a gap."""
    tags, before = [], ""
    for kind, length in parts:
        inside = [f"I-{kind}"] * length
        if not kind:
            inside = ["O"] * length
        elif scheme == "IOB1":
            inside[0] = f"{'B' if before == kind else 'I'}-{kind}"
        elif scheme == "IOB2":
            inside[0] = f"B-{kind}"
        else:
            inside[0], inside[-1] = f"B-{kind}", f"E-{kind}"
            if length == 1:
                inside = [f"S-{kind}"]
        tags, before = tags + inside, kind
    return tags


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_conll_2003(tmp_path, ending):
    path = write(tmp_path / f"eng.train{ending}", IOB1)
    examples = read_conll(path)
    first, second = examples.examples
    assert first.words == ("West", "Indian", "Phil", "Smith", "said")
    assert first.tags == ("B-MISC", "I-MISC", "B-PER", "B-PER", "O")
    assert (second.words, second.tags) == (("LONDON", "1996-08-30"), ("B-LOC", "O"))
    assert (first.id, second.id) == (f"{path}:3", f"{path}:9")
    assert examples.problems == ()
    assert examples.notes == (f"{path}: tags are IOB1; converted to IOB2",)
    names = ["O", "B-LOC", "I-LOC", "B-MISC", "I-MISC", "B-PER", "I-PER"]
    assert tag_names(examples.examples) == names


def test_every_scheme_gives_the_same_spans():
    """All rows of up to three parts: gaps and spans of two types, one or three words long."""
    parts = list(itertools.product(["", "A", "B"], [1, 3]))
    for row in itertools.chain(*(itertools.product(parts, repeat=n) for n in (1, 2, 3))):
        expected = written(row, "IOB2")
        for scheme in ("IOB1", "IOB2", "IOBES"):
            assert list(to_iob2(written(row, scheme))) == expected, (row, scheme)
        assert spans(expected, "IOB2") == spans(written(row, "IOB1"), "IOB1")


def test_schemes_are_recognised():
    row = [("A", 2), ("A", 1), ("", 1), ("B", 1)]
    for scheme in ("IOB1", "IOB2", "IOBES"):
        assert tag_scheme([written(row, scheme)]) == scheme
    assert tag_scheme([["B-A", "L-A", "U-B"]]) == "IOBES"
    assert to_iob2(["B-A", "L-A", "U-B"]) == to_iob2(["B-A", "M-A", "W-B"]) == ("B-A", "I-A", "B-B")
    assert tag_scheme([["NN", "VB", "O"]]) == "plain"
    assert tag_scheme([["O", "O"]]) == "plain"


def test_tags_that_are_no_spans_stay(tmp_path):
    path = write(tmp_path / "pos.conll", "The\tDT\nend\tNN\n\n")
    assert read_conll(path).examples[0].tags == ("DT", "NN")
    assert tag_names(read_conll(path).examples) == ["DT", "NN"]


def test_tabs_and_spaces_in_words(tmp_path):
    path = write(tmp_path / "a.conll", "New York\tB-LOC\n10\u00a0000\tO\n\n\n\nx\tO")
    words = [sentence.words for sentence in read_conll(path).examples]
    assert words == [("New York", "10\u00a0000"), ("x",)]
    path = write(tmp_path / "b.conll", "# id 1\n# text = a b\na  O \n# O\n10\u00a0000 O\n")
    assert read_conll(path).examples[0].words == ("a", "#", "10\u00a0000")


def test_ragged_lines_are_named(tmp_path):
    path = write(tmp_path / "a.conll", "a X O\nb X O\n\nc X O\nd O\n\ne X B-A\nf\n\ng X O\n")
    examples = read_conll(path)
    assert [sentence.words for sentence in examples.examples] == [("a", "b"), ("g",)]
    assert examples.problems == (
        f"{path}:5: 2 columns instead of 3; mend the line",
        f"{path}:8: a word without a tag; write 'word tag'",
    )


def test_a_tag_of_another_kind_is_named(tmp_path):
    path = write(tmp_path / "a.conll", "a B-A\nb I-A\nc B-B\n\nd PER\n")
    examples = read_conll(path)
    assert len(examples) == 1
    assert examples.problems == (f"{path}:5: tag 'PER' among tags like B-X, I-X and O",)


def test_words_alone_for_prediction(tmp_path):
    path = write(tmp_path / "a.conll", "a\nb\n\nc\n")
    sentences = read_conll(path, labelled=False).examples
    assert [(s.words, s.tags) for s in sentences] == [(("a", "b"), ()), (("c",), ())]
    with pytest.raises(KerasuiteError, match="no tagged sentences in it; .*a.conll:1: a word wit"):
        read_conll(path)


def test_written_and_read(tmp_path):
    sentences = read_conll(write(tmp_path / "a.conll", IOB1)).examples
    lines = list(conll_lines((s.words, s.tags, s.tags) for s in sentences))
    assert lines[:2] == ["West B-MISC B-MISC", "Indian I-MISC I-MISC"]
    path = write(tmp_path / "b.conll", "".join(f"{line}\n" for line in lines))
    again = read_conll(path).examples
    assert [(s.words, s.tags) for s in again] == [(s.words, s.tags) for s in sentences]


def test_files_are_recognised(tmp_path):
    assert looks_like_conll(write(tmp_path / "eng.testa", IOB1))
    assert looks_like_conll(write(tmp_path / "x.txt", "a O\nb B-X\n\nc O\n\n"))
    assert looks_like_conll(write(tmp_path / "x.bio", "anything"))
    assert looks_like_conll(write(tmp_path / "esp.testb.gz", "words\nonly"))
    assert not looks_like_conll(write(tmp_path / "y.txt", "some words here\nmore of them\n\nend"))


def test_plain_text_is_no_conll(tmp_path):
    """Whatever tags a model knows."""
    tags = {"NN", "VB", ".", ","}
    path = write(tmp_path / "pos.txt", "Dogs NN\nbark VB\n. .\n\nYes NN\n. .\n")
    assert looks_like_conll(path, tags) and not looks_like_conll(path)
    texts = (
        "the dogs bark .\nthen they sleep , dream and wake .\n\nso do I .\n",
        "Yes .\nNo .\n\nOh .\n",
        "type B-X\nwe are all of the type B-X\n\nor even B-Y\nor I-Y\n",
        "Dogs NN\nbark VB\n",
    )
    for text in texts:
        assert not looks_like_conll(write(tmp_path / "x.txt", text), tags), text


def test_only_the_beginning_of_a_file_is_looked_at(tmp_path):
    lines = "".join(f"{number} of many lines\n" for number in range(20_000))
    path = write(tmp_path / "long.txt.gz", lines)
    path.write_bytes(path.read_bytes()[:-2000])
    assert not looks_like_conll(path)


def test_the_real_file(real_data):
    examples = read_conll(real_data / "conll2003" / "eng.train")
    assert len(examples) == 14_041 and examples.problems == ()
    assert sum(len(sentence.words) for sentence in examples.examples) == 203_621
    starts = [t for s in examples.examples for t in s.tags if t.startswith("B-")]
    # The counts of the shared task's paper.
    counts = {kind: starts.count(f"B-{kind}") for kind in ("LOC", "MISC", "ORG", "PER")}
    assert counts == {"LOC": 7140, "MISC": 3438, "ORG": 6321, "PER": 6600}


def test_rows_of_words_decide_the_separator(tmp_path):
    """Not comments, nor -DOCSTART-, which have the other one in many files."""
    spaces = "# a\tb c\nparis _ _ B-LOC\nis _ _ O\n\n# id 2\tdomain=dev\nx _ _ O\n"
    tabs = "-DOCSTART- -X- O O\n\nNew York\tB-LOC\nis\tO\n\n# a remark of mine\nx\tO\n"
    for text, word in ((spaces, "paris"), (tabs, "New York")):
        examples = read_conll(write(tmp_path / "a.conll", text))
        assert [s.words for s in examples.examples] == [(word, "is"), ("x",)]
        assert (examples.examples[0].tags, examples.problems) == (("B-LOC", "O"), ())


CONLL_U = """# sent_id = 1
# text = vámonos al mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\t_\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\tSpaceAfter=No
2.1\tnada\t_\t_\t_\t_\t_\t_\t_\t_
3\tmar\tmar\tNOUN\t_\t_\t1\tobl\t_\t_

1\tsí\tsí\tINTJ\t_\t_\t0\troot\t_\t_
"""
GERM_EVAL = """#\thttp://de.wikipedia.org/wiki/A [2010-01-15]
1\tSchartau\tB-PER\tO
2\tsagte\tO\tO
3\tdem\tO\tO
4\t"\tO\tO
5\tTagesspiegel\tB-ORG\tB-LOC

#\thttp://de.wikipedia.org/wiki/B [2010-01-15]
1\tFirmengründer\tO\tO
"""


def test_a_column_that_counts_the_words(tmp_path):
    path = write(tmp_path / "a.conllu", CONLL_U)
    examples = read_conll(path)
    first, second = examples.examples
    assert (first.words, first.tags) == (("vamos", "nos", "mar"), ("VERB", "PRON", "NOUN"))
    assert (second.words, second.tags, examples.problems) == (("sí",), ("INTJ",), ())
    (note,) = examples.notes
    assert "column 2 is read as words, column 4 as tags" in note and "; 2 rows of several" in note
    examples = read_conll(write(tmp_path / "b.conll", GERM_EVAL))
    assert examples.examples[0].words == ("Schartau", "sagte", "dem", '"', "Tagesspiegel")
    assert examples.examples[0].tags == ("B-PER", "O", "O", "O", "B-ORG")
    # Words that are numbers count nothing.
    assert read_conll(write(tmp_path / "c.conll", "1 CD O\n2 CD O\n\n7 CD O\n")).notes == ()


def test_columns_that_the_user_names(tmp_path):
    path = write(tmp_path / "b.conll", GERM_EVAL)
    examples = read_conll(path, named=Columns("2", label="4"))
    assert examples.examples[0].tags == ("O", "O", "O", "O", "B-LOC") and examples.notes == ()
    assert read_conll(path, named=Columns("3")).examples[0].words[0] == "B-PER"
    assert read_conll(path, False, Columns("2")).examples[0].words[0] == "Schartau"
    for number in ("5", "0", "tag"):
        with pytest.raises(
            KerasuiteError, match=f"no column '{number}' .--label-column.;.* 1 to 4"
        ):
            read_conll(path, named=Columns(label=number))


def test_latin_1_is_named(tmp_path):
    path = tmp_path / "esp.train"
    path.write_bytes("España B-LOC\nes O\n\n".encode("latin-1"))
    (problem,) = read_conll(path).file_problems
    assert problem.startswith(f"{path}: 1 line(s) are not UTF-8, first line 1")
