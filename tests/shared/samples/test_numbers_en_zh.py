"""The numbers sample: right numerals, the same every time, nothing on two sides."""

import pytest
from num2words import num2words

from shared.samples.numbers_en_zh import chinese, english
from shared.samples.registry import write_sample

VALUES = {"零": 0, **{digit: value for value, digit in enumerate("一二三四五六七八九", 1)}}


def read_numeral(text):
    """The value of a numeral, read from left to right."""
    total = group = digit = 0
    for character in text:
        if character in VALUES:
            digit = VALUES[character]
        elif character == "万":
            total, group, digit = (group + digit) * 10_000, 0, 0
        else:
            # 十 at the beginning stands for 一十.
            group += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
    return total + group + digit


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "零"),
        (7, "七"),
        (10, "十"),
        (14, "十四"),
        (20, "二十"),
        (99, "九十九"),
        (105, "一百零五"),
        (110, "一百一十"),
        (111, "一百一十一"),
        (1000, "一千"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
        (1100, "一千一百"),
        (2024, "二千零二十四"),
        (10_000, "一万"),
        (10_001, "一万零一"),
        (10_010, "一万零一十"),
        (11_000, "一万一千"),
        (12_045, "一万二千零四十五"),
        (100_000, "十万"),
        (100_500, "十万零五百"),
        (110_000, "十一万"),
        (205_000, "二十万五千"),
        (1_000_000, "一百万"),
        (1_010_000, "一百零一万"),
        (3_005_020, "三百万五千零二十"),
        (9_999_999, "九百九十九万九千九百九十九"),
        (10_000_000, "一千万"),
    ],
)
def test_numerals_as_they_are_written(number, text):
    assert chinese(number) == text


def test_numerals_are_read_as_their_number():
    numbers = [*range(0, 30_000, 7), *range(30_000, 10_000_000, 1009)]
    texts = [chinese(number) for number in numbers]
    assert [read_numeral(text) for text in texts] == numbers
    assert not any("零零" in text or (len(text) > 1 and text.endswith("零")) for text in texts)
    # Japanese has the same groups, without 零 and without 一 before 十 百 千.
    for number, text in zip(numbers[1:], texts[1:], strict=True):
        japanese = num2words(number, lang="ja")
        plain = text.replace("零", "")
        for unit in "十百千":
            plain, japanese = plain.replace("一" + unit, unit), japanese.replace("一" + unit, unit)
        assert plain == japanese


def test_number_words_are_those_of_num2words():
    for number in [*range(2101), *range(2101, 10_000_000, 1009), 10**6, 10**6 + 1, 10**7 - 1]:
        assert english(number) == num2words(number, lang="en")


def test_the_sample(tmp_path):
    line = write_sample("numbers-en-zh", tmp_path / "a")
    write_sample("numbers-en-zh", tmp_path / "b")
    assert line.startswith("6,080 training and 500 validation pairs")
    names = ["input.txt", "train.en", "train.zh", "val.en", "val.zh"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    lines = {}
    for name in names:
        content = (tmp_path / "a" / name).read_bytes()
        assert (tmp_path / "b" / name).read_bytes() == content
        lines[name] = content.decode().splitlines()
    everything = lines["train.en"] + lines["val.en"] + lines["input.txt"]
    assert len(set(everything)) == len(everything) == 6600
    for part in ("train", "val"):
        numbers = [read_numeral(text) for text in lines[f"{part}.zh"]]
        assert [english(number) for number in numbers] == lines[f"{part}.en"]
        digits = [len(str(number)) for number in numbers]
        assert all(digits.count(length) > 0.1 * len(digits) for length in range(3, 8))
