"""`check` of sentence pairs: their contents, and every problem with its line."""

import pytest

from apps.translation.check import describe
from apps.translation.config import TranslateConfig
from apps.translation.pairs.scripts import guess_language, main_script
from shared.common.errors import KerasuiteError
from shared.samples.numbers_en_zh import chinese, english


def config(folder, **pairs):
    return TranslateConfig(
        data=(str(folder),),
        pairs=pairs,
        tokens={"vocabulary_size": 320, "vocabulary": "bpe"},
    )


def write(folder, source, target, part="train"):
    for side, lines in (("en", source), ("zh", target)):
        content = "".join(f"{line}\n" for line in lines)
        (folder / f"{part}.{side}").write_bytes(content.encode("utf-8", "surrogateescape"))


def test_contents(tmp_path):
    numbers = range(100, 180)
    write(tmp_path, map(english, numbers), map(chinese, numbers))
    contents, problems = describe(config(tmp_path))
    assert problems == []
    assert contents[0].startswith("7") and contents[0].endswith("validation pairs (split off)")
    assert contents[1].startswith("source (en, LATIN script): 2")
    assert contents[2].startswith("target (zh, CJK script): 5 characters and ")
    assert contents[3] == "vocabulary: bpe, 320 tokens for both sides"
    assert contents[4] == "no training pair would be left out"
    separate = TranslateConfig(
        data=(str(tmp_path),), tokens={"vocabulary_size": 300, "shared_vocabulary": False}
    )
    assert " source and " in describe(separate)[0][3]


def test_problems(tmp_path):
    numbers = range(100, 180)
    source, target = (
        [english(number) for number in numbers],
        [chinese(number) for number in numbers],
    )
    source[3] = ""
    source[5] = "one\x07hundred"
    target[7] = "no translation of this line"
    source[9] = target[9] = "these are the same words"
    target[11] = "一百\udcff一十"
    target[13] += "".join(chr(0x4E00 + 37 * i) for i in range(99))
    write(tmp_path, source, target)
    write(tmp_path, [english(108), "Привет, мир, как дела"], [chinese(108), "二"], "val")
    contents, problems = describe(config(tmp_path))
    assert contents[0] == "80 training pairs, 2 validation pairs"
    assert contents[4].startswith("2 of 80 training pairs left out: 1 empty side (")
    train, val = tmp_path / "train.en", tmp_path / "val.en"
    assert problems == [
        f"{tmp_path / 'train.zh'}: 1 line(s) are not UTF-8, first line 12; the invalid bytes were "
        f"replaced; convert the file",
        f"{train}:4: 1 pair(s) with an empty side, this is the first; are the files aligned?",
        f"{train}:6: 1 source line(s) with control characters, this is the first; each is read "
        f"as a space",
        f"{val}:2: 1 source line(s) in another script than LATIN, this is the first; are they the "
        f"right language?",
        f"{train}:8: 2 target line(s) in another script than CJK, this is the first; are they the "
        f"right language?",
        f"{train}:10: 1 pair(s) with equal sides, this is the first; these are not translated",
        f"{val}:1: 1 validation sentence(s) that are trained on too, this is the first; figures "
        f"will flatter",
    ]


def test_a_vocabulary_that_the_data_do_not_support(tmp_path, capsys):
    write(tmp_path, ["a b", "b c", "c d"], ["一二", "二三", "三四"])
    contents, _ = describe(TranslateConfig(data=(str(tmp_path),)))
    assert "vocabulary: unigram, 2" in contents[3]
    assert "--vocabulary-size 8000: the training text supports 2" in capsys.readouterr().err


def test_a_vocabulary_of_one_side_that_the_data_do_not_support(tmp_path, capsys):
    write(tmp_path, map(english, range(40)), ["一二", "二三"] * 20)
    tokens = {"vocabulary": "bpe", "vocabulary_size": 300, "shared_vocabulary": False}
    contents, _ = describe(TranslateConfig(data=(str(tmp_path),), tokens=tokens))
    assert contents[3].startswith("vocabulary: bpe, 300 source and 2")
    errors = capsys.readouterr().err
    assert "the target side supports" in errors and "source side" not in errors


def test_files_that_stop_it(tmp_path):
    write(tmp_path, ["a", "b"], ["一"])
    with pytest.raises(KerasuiteError, match=r"train\.en has 2 lines, .*train\.zh has 1"):
        describe(config(tmp_path))
    with pytest.raises(KerasuiteError, match="no such file or folder"):
        describe(config(tmp_path / "gone"))
    (tmp_path / "blank.tsv").write_text(" \n\t\n")
    with pytest.raises(KerasuiteError, match="is empty"):
        describe(config(tmp_path / "blank.tsv"))


@pytest.mark.parametrize(
    ("text", "script", "language"),
    [
        ("Zwei Männer, 3 Hunde", "LATIN", ""),
        ("我们试试看 OK", "CJK", "zh"),
        ("これは日本語の文章です", "HIRAGANA", "ja"),
        ("한국어 문장", "HANGUL", "ko"),
        ("Это по-русски", "CYRILLIC", ""),
        ("123 !?", "", ""),
    ],
)
def test_scripts(text, script, language):
    assert main_script([text, "", "42"]) == script
    assert guess_language([text]) == language
