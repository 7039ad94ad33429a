"""Files of sentence pairs: every format gives the same pairs, and bad files a clear line."""

import gzip
import re

import pytest

from apps.translation.config import TranslateConfig
from apps.translation.languages import Languages
from apps.translation.pairs.pair_files import find_pairs, other_scripts, read_pairs, split
from apps.translation.pairs.sentence_pairs import SentencePairs
from shared.common.errors import KerasuiteError
from shared.text.text_lines import read_lines

ENGLISH = ["a dog", "a cat", "two birds", "the end"]
GERMAN = ["ein Hund", "eine Katze", "zwei Vögel", "das Ende"]
CHINESE = ["一只狗", "一只猫", "两只鸟", "结束了"]
PAIRS = list(zip(ENGLISH, GERMAN, strict=True))
CONFIG = TranslateConfig()


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = lines if isinstance(lines, bytes) else "".join(f"{x}\n" for x in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


def find(*data, **options):
    return find_pairs(TranslateConfig(data=tuple(map(str, data)), pairs=options))


def zipped(pairs):
    return list(zip(pairs.source, pairs.target, strict=True))


def everything(found):
    """All pairs of a split, in the order of the file."""
    both = zip(
        found.train.where + found.validation.where,
        zipped(found.train) + zipped(found.validation),
        strict=True,
    )
    return [pair for _, pair in sorted(both)]


# === Formats ===


@pytest.mark.parametrize("packing", ["", ".gz", ".txt", ".txt.gz"])
def test_two_files(tmp_path, packing):
    source = write(tmp_path / f"some.en{packing}", ENGLISH)
    target = write(tmp_path / f"some.de{packing}", GERMAN)
    found = find(source, target)
    assert everything(found) == PAIRS
    assert (found.source_language, found.target_language) == ("en", "de")
    assert found.from_split and found.notes == ()
    assert sorted(found.train.where + found.validation.where)[2] == f"{source}:3"
    swapped = find(source, target, reverse=True)
    assert everything(swapped) == [pair[::-1] for pair in PAIRS]
    assert (swapped.source_language, swapped.target_language) == ("de", "en")
    # Named languages order the files.
    assert everything(find(target, source, source="en")) == PAIRS
    assert everything(find(target, source, source="en", target="de")) == PAIRS


@pytest.mark.parametrize("header", ["", "source\ttarget\n", "Src\tTgt\tmore\n"])
@pytest.mark.parametrize("name", ["some.tsv", "some.tsv.gz", "some.txt"])
def test_tsv(tmp_path, header, name):
    rows = "".join(f"{source}\t{target}\tCC-BY\n" for source, target in PAIRS)
    path = write(tmp_path / name, (header + rows + "\n").encode())
    found = find(path)
    assert everything(found) == PAIRS
    assert (found.source_language, found.target_language) == ("", "")
    first = sorted(found.train.where + found.validation.where)[0]
    assert first == f"{path}:{2 if header else 1}"
    assert find(path, source="en", target="de", reverse=True).source_language == "de"


def test_folder(tmp_path):
    write(tmp_path / "train.en", ENGLISH)
    write(tmp_path / "train.de.gz", GERMAN)
    write(tmp_path / "valid.en", ["one"])
    write(tmp_path / "valid.de", ["eins"])
    write(tmp_path / "README.md", ["# nothing"])
    write(tmp_path / "train.log", ["nothing"])
    found = find(tmp_path, source="en")
    assert zipped(found.train) == PAIRS and not found.from_split
    assert zipped(found.validation) == [("one", "eins")]
    assert (found.source_language, found.target_language) == ("en", "de")
    assert find(tmp_path).source_language == "de"
    assert zipped(find(tmp_path, reverse=True).train) == PAIRS
    both = find(tmp_path, source="en", target="de", reverse=True)
    assert zipped(both.validation) == [("eins", "one")] and both.target_language == "en"
    # A third language makes it unclear.
    write(tmp_path / "train.fr", ["x"] * 4)
    with pytest.raises(KerasuiteError, match="which two languages.*de, en, fr.*--source"):
        find(tmp_path)
    with pytest.raises(KerasuiteError, match="which two languages"):
        find(tmp_path, source="en")
    with pytest.raises(KerasuiteError, match=r"--target it: .* has no train.it; it has de, en, fr"):
        find(tmp_path, source="en", target="it")
    with pytest.raises(KerasuiteError, match="which two languages"):
        find(tmp_path, source="en", target="en")
    with pytest.raises(KerasuiteError, match=r"has no valid.fr"):
        find(tmp_path, source="en", target="fr")
    assert zipped(find(tmp_path, source="en", target="de").train) == PAIRS


def test_folder_with_tsv_with_one_set_and_with_unnamed_languages(tmp_path):
    rows = [f"{source}\t{target}" for source, target in PAIRS]
    write(tmp_path / "a" / "train.tsv", rows)
    write(tmp_path / "a" / "dev.tsv", rows[:1])
    assert zipped(find(tmp_path / "a").validation) == PAIRS[:1]
    write(tmp_path / "b" / "europarl-v7.en", ENGLISH)
    write(tmp_path / "b" / "europarl-v7.de", GERMAN)
    assert everything(find(tmp_path / "b", source="en")) == PAIRS
    write(tmp_path / "c" / "train.src", ENGLISH)
    write(tmp_path / "c" / "train.tgt", CHINESE)
    found = find(tmp_path / "c")
    assert everything(found)[0] == ("a dog", "一只狗")
    assert (found.source_language, found.target_language) == ("", "zh")
    assert find(tmp_path / "c", source="en", target="zh").source_language == "en"
    write(tmp_path / "d" / "notes.txt", ["x"])
    with pytest.raises(KerasuiteError, match=r"has no train.tsv and no train.LANGUAGE.*none"):
        find(tmp_path / "d")


def test_validation_option(tmp_path):
    data = [write(tmp_path / "a.en", ENGLISH), write(tmp_path / "a.de", GERMAN)]
    held_out = (write(tmp_path / "b.de", ["eins"]), write(tmp_path / "b.en", ["one"]))
    found = find(*data, validation=held_out)
    # The languages of the endings tell the order.
    assert zipped(found.validation) == [("one", "eins")] and not found.from_split
    assert zipped(found.train) == PAIRS
    found = find(*data, validation=held_out, reverse=True)
    assert zipped(found.validation) == [("eins", "one")]


def test_several_files(tmp_path):
    first = [write(tmp_path / "a.en", ENGLISH[:2]), write(tmp_path / "a.de", GERMAN[:2])]
    second = [write(tmp_path / "b.en", ENGLISH[2:]), write(tmp_path / "b.de", GERMAN[2:])]
    assert everything(find(*first, *second)) == PAIRS
    french = [write(tmp_path / "c.en", ENGLISH), write(tmp_path / "c.fr", GERMAN)]
    with pytest.raises(KerasuiteError, match="different languages: en and de, en and fr"):
        find(*first, *french)
    with pytest.raises(KerasuiteError, match=r"b\.en: has no partner"):
        find(*first, second[0])


def test_read_pairs(tmp_path):
    config = TranslateConfig(data=("gone",), pairs={"source": "en", "target": "de"})
    files = [write(tmp_path / "test.en", ENGLISH), write(tmp_path / "test.de", GERMAN)]
    assert zipped(read_pairs(files, config)) == PAIRS
    assert zipped(read_pairs([str(tmp_path)], config)) == PAIRS
    reverse = TranslateConfig(pairs={"reverse": True})
    for order in (files, files[::-1]):
        pairs = read_pairs(order, reverse, ("de", "en"))
        assert zipped(pairs) == [pair[::-1] for pair in PAIRS]
    write(tmp_path / "val.en", ["x"])
    write(tmp_path / "val.de", ["x"])
    assert zipped(read_pairs([str(tmp_path)], config)) == PAIRS
    (tmp_path / "test.en").rename(tmp_path / "test_2016.en")
    (tmp_path / "test.de").rename(tmp_path / "test_2016.de")
    assert zipped(read_pairs([str(tmp_path)], config)) == PAIRS
    write(tmp_path / "test_2017.en", ["x"])
    write(tmp_path / "test_2017.de", ["x"])
    with pytest.raises(KerasuiteError, match="which of test_2016, test_2017"):
        read_pairs([str(tmp_path)], config)


# === The split ===


def test_split_keeps_equal_sentences_together():
    source = [f"sentence {number % 700}" for number in range(2000)]
    pairs = SentencePairs(source, list(map(str, range(2000))), [f"f:{i}" for i in range(2000)])
    train, validation = split(pairs, 0.2, seed=1)
    assert len(train) + len(validation) == 2000
    assert 0.15 < len(validation) / 2000 < 0.25
    assert not set(train.source) & set(validation.source)
    assert sorted(train.where + validation.where) == sorted(pairs.where)
    assert [int(text) for text in train.target] == sorted(map(int, train.target))
    assert split(pairs, 0.2, seed=1) == (train, validation)
    assert split(pairs, 0.2, seed=2)[1].target != validation.target
    # A pair stays on its side when others come or go.
    fewer = split(pairs.take(range(0, 2000, 3)), 0.2, seed=1)[1]
    assert set(fewer.where) == set(validation.where) & set(pairs.where[::3])
    # White space makes no other sentence.
    spaced = SentencePairs([f" {text.replace(' ', '  ')} " for text in source], source, pairs.where)
    assert split(spaced, 0.2, seed=1)[1].where == validation.where


@pytest.mark.parametrize("share", [0.001, 0.5])
def test_split_of_few_pairs(share):
    for seed in range(10):
        pairs = SentencePairs(["a", "b", "a"], ["x", "y", "z"], ["f:1", "f:2", "f:3"])
        train, validation = split(pairs, share, seed)
        assert {len(train), len(validation)} == {1, 2}
    with pytest.raises(KerasuiteError, match="f:1: all 2 pair.* same source sentence"):
        split(pairs.take([0, 2]), share, 1)


# === Bad input ===


def test_unequal_files_name_both_counts(tmp_path):
    files = [write(tmp_path / "a.en", ENGLISH), write(tmp_path / "a.de", GERMAN[:3])]
    with pytest.raises(KerasuiteError) as error:
        find(*files)
    assert re.search(r"a\.en has 4 lines, .*a\.de has 3", str(error.value))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        ("dog\n".encode("utf-16-le"), "is no text file"),
        (b"\x89PNG" + bytes(50), "is no text file"),
        (b"a dog\n" * 2_000 + bytes(999), "is no text file"),
    ],
)
def test_files_without_text(tmp_path, content, message):
    path = write(tmp_path / "a.en", content)
    with pytest.raises(KerasuiteError, match=f"{re.escape(path)}: {message}"):
        find(path, write(tmp_path / "a.de", GERMAN))
    with pytest.raises(KerasuiteError, match=message):
        find(path)


def test_files_that_cannot_be_read(tmp_path):
    there = write(tmp_path / "a.en", ENGLISH)
    with pytest.raises(KerasuiteError, match="gone.de: no such file or folder"):
        find(there, tmp_path / "gone.de")
    broken = tmp_path / "a.de.gz"
    broken.write_bytes(gzip.compress(b"ein Hund\n" * 99)[:-12])
    with pytest.raises(KerasuiteError, match=r"a\.de\.gz: is damaged"):
        find(there, broken)
    broken.write_bytes(b"not packed")
    with pytest.raises(KerasuiteError, match=r"a\.de\.gz: is damaged"):
        find(there, broken)
    with pytest.raises(KerasuiteError, match="no DATA"):
        find()


def test_a_packed_file_that_is_huge(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.text.text_lines.MAX_UNPACKED", 1 << 20)
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n" * (1 << 18)))
    assert len(read_lines(path).lines) == 1 << 18
    path.write_bytes(gzip.compress(b"a\tb\n" * (1 << 18) + b"c"))
    with pytest.raises(KerasuiteError, match="more than 1 MiB; unpack it"):
        read_lines(path)


def test_tsv_row_with_one_column(tmp_path):
    path = write(tmp_path / "a.tsv", ["a\tb", "alone", "c\td", "alone too"])
    with pytest.raises(KerasuiteError, match=r"a\.tsv:2: one column \(and in 1 more rows\)"):
        find(path)
    with pytest.raises(KerasuiteError, match=r"a\.tsv: is empty"):
        find(write(tmp_path / "a.tsv", ["source\ttarget"]))


def test_blank_rows_of_a_tsv_are_counted(tmp_path):
    path = write(tmp_path / "a.tsv", ["source\ttarget", "a\tb", "", "c\td", " \t", "e\tf"])
    assert find(path).notes == (f"{path}:3: 2 blank row(s), this is the first; passed over",)
    assert find(write(tmp_path / "b.tsv", ["a\tb", "c\td"])).notes == ()


def test_lines_are_lines(tmp_path):
    """Other line ends of Python and Unicode stay within the line."""
    lines = ["a\x0bb\x0cc\x1cd\x85e\u2028f", "", "  ", "a\rb", "last\x00one"]
    plain = read_lines(tmp_path / write(tmp_path / "a", lines))
    assert plain.lines == lines and plain.invalid == []
    windows = "\ufeff" + "".join(f"{line}\r\n" for line in lines)
    assert read_lines(tmp_path / write(tmp_path / "b", windows.encode())).lines == lines
    assert read_lines(tmp_path / write(tmp_path / "c", b"a\n\nb")).lines == ["a", "", "b"]


def test_invalid_utf8_is_replaced_and_noted(tmp_path):
    english = write(tmp_path / "a.en", b"a dog\n\xff\xfe cat\nb\xc3\nthe \xef\xbf\xbd end\n")
    found = find(english, write(tmp_path / "a.de", GERMAN))
    assert [pair[0] for pair in everything(found)] == [
        "a dog",
        "\ufffd\ufffd cat",
        "b\ufffd",
        "the \ufffd end",
    ]
    assert len(found.notes) == 1
    assert re.search(r"a\.en: 2 line\(s\) are not UTF-8, first line 2", found.notes[0])


def test_another_script(tmp_path):
    english, chinese = write(tmp_path / "a.en", ENGLISH), write(tmp_path / "a.txt", CHINESE)
    assert find(english, chinese).target_language == "zh"
    with pytest.raises(KerasuiteError, match=r"a\.en:1: by its script the target side is 'zh'"):
        find(english, chinese, source="zh", target="en")
    found = find(english, chinese, validation=(chinese, english))
    assert "the source sentences are CJK script, those to train on LATIN" in found.notes[0]
    languages = Languages("en", "zh", "LATIN", "CJK")
    assert other_scripts(read_pairs([english, chinese], TranslateConfig()), languages) == ()
    config = TranslateConfig(pairs={"source": "en", "target": "zh"})
    with pytest.raises(KerasuiteError, match="by its script the source side is 'zh'"):
        read_pairs([chinese, english], config, ("en", "zh"))


def test_files_in_other_scripts_than_the_training_text(tmp_path):
    russian = write(tmp_path / "c.en", ["Добрый день", "Как дела?", "Name"])
    english, german = write(tmp_path / "a.en", ENGLISH), write(tmp_path / "a.de", GERMAN)
    both = read_pairs([english, german, russian, write(tmp_path / "c.de", GERMAN[:3])], CONFIG)
    languages = Languages("en", "de", "LATIN", "LATIN")
    (note,) = other_scripts(both, languages)
    assert note.startswith(f"{russian}: the source sentences are CYRILLIC script")
    assert "LATIN" in note
    # A short text, a smaller part of a file, and an unknown script are no sign.
    few = write(tmp_path / "d.en", ["a dog", "two cats", "Добрый"])
    mixed = read_pairs([few, write(tmp_path / "d.de", ["Лев", "b c", "d e"])], CONFIG)
    assert other_scripts(mixed, languages) == ()
    assert other_scripts(both, Languages("en", "de")) == ()


LONG = [(f"the {n} dogs are here", f"die {n} Hunde sind da") for n in range(12)]


@pytest.mark.parametrize(
    ("header", "row", "note"),
    [
        # Tatoeba's export, WikiMatrix, and ids with letters.
        ("", "{n}\t{source}\t9{n}\t{target}", "columns 2 and 4 are read .* in column 1, 3"),
        ("", "1.0{n}\t{source}\t{target}", "columns 2 and 3 are read .* in column 1"),
        ("score\tsource\ttarget\n", "1.0{n}\t{source}\t{target}", "columns 2 and 3 are read"),
        ("id\ttext\ttranslation\n", "{n}\t{source}\t{target}", "first row .id, text, translation."),
        ("", "ted/{n}\teng\t{source}\tdeu\t{target}", "columns 3 and 5 are read"),
        ("en\tde\n", "{source}\t{target}", "first row .en, de. is taken for a header"),
        ("eng_Latn\tdeu_Latn\tscore\n", "{source}\t{target}\t1.{n}", "first row .eng_Latn, deu_"),
    ],
)
def test_columns_of_a_tsv_are_recognised(tmp_path, header, row, note):
    rows = [row.format(n=n, source=one, target=two) for n, (one, two) in enumerate(LONG)]
    path = write(tmp_path / "a.tsv", (header + "\n".join(rows) + "\n").encode())
    found = find(path)
    pairs = zipped(found.train) + zipped(found.validation)
    assert sorted(pairs) == sorted(LONG) and len(found.notes) in (1, 2)
    assert re.search(note, " ".join(found.notes))


def test_lists_of_words_and_of_numbers_have_no_header(tmp_path):
    words = [("is", "ist"), ("no", "nein"), ("dog", "Hund"), ("cat", "Katze")]
    numbers = [(f"{n}", f"{n * 100}", "x") for n in range(8)]
    for rows in (words, numbers):
        path = write(tmp_path / "a.tsv", ["\t".join(row) for row in rows])
        found = find(path)
        assert everything(found) == [row[:2] for row in rows] and found.notes == ()


def test_utf16_is_read(tmp_path):
    path = write(tmp_path / "a.tsv", "\n".join(map("\t".join, PAIRS)).encode("utf-16"))
    assert everything(find(path)) == PAIRS


def test_files_by_other_codes_of_the_languages(tmp_path):
    """A run on eng_Latn and zho_Hans is evaluated on .zh and .en, named in either order."""
    target, source = write(tmp_path / "b.zh", CHINESE), write(tmp_path / "b.en", ENGLISH)
    pairs = read_pairs([target, source], CONFIG, ("eng_Latn", "zho_Hans"))
    assert zipped(pairs)[0] == ("a dog", "一只狗")
    names = [write(tmp_path / f"a.{n}", x) for n, x in (("eng", ENGLISH), ("zh_Hant_TW", CHINESE))]
    assert find(*names).target_language == "zh_Hant_TW"
