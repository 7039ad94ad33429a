"""Numbers in English words and Chinese numerals: a language pair whose truth is known."""

import random
from collections.abc import Iterable
from pathlib import Path

from shared.common.files import write_text

SEED = 6
# All numbers below 1,000, and this many with 4 to 7 digits.
COUNTS = {4: 1200, 5: 1200, 6: 1600, 7: 1600}
VALIDATION, INPUTS = 500, 20
SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ("", "", *["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
SIZES = ((10**6, "million"), (1000, "thousand"), (100, "hundred"))
DIGITS, UNITS = "零一二三四五六七八九", ("", "十", "百", "千")


def write_numbers(folder: Path) -> str:
    """Writes train.en, train.zh, val.en, val.zh and, without translation, input.txt.

    Returns:
        A line that says what was written.
    """
    numbers = _numbers()
    held_out = VALIDATION + INPUTS
    parts = {"val": numbers[:VALIDATION], "train": numbers[held_out:]}
    for part, chosen in parts.items():
        write_text(folder / f"{part}.en", _lines(map(english, chosen)))
        write_text(folder / f"{part}.zh", _lines(map(chinese, chosen)))
    write_text(folder / "input.txt", _lines(map(english, numbers[VALIDATION:held_out])))
    return (
        f"{len(parts['train']):,} training and {VALIDATION} validation pairs of number words and "
        f"Chinese numerals up to the millions, {INPUTS} more to translate in input.txt"
    )


def english(number: int) -> str:
    """12345 as "twelve thousand, three hundred and forty-five", for 0 <= number < 10**9."""
    if number < 100:
        return _below_hundred(number)
    size, name = next(each for each in SIZES if number >= each[0])
    upper, rest = divmod(number, size)
    text = f"{english(upper)} {name}"
    if not rest:
        return text
    joint = " and " if rest < 100 else ", "
    return text + joint + english(rest)


def _below_hundred(number: int) -> str:
    if number < len(SMALL):
        return SMALL[number]
    tens, unit = divmod(number, 10)
    return TENS[tens] + (f"-{SMALL[unit]}" if unit else "")


def chinese(number: int) -> str:
    """12045 as "一万二千零四十五", for 0 <= number < 10**8.

    Four digits make a group; 万 stands after the upper one; one
    零 stands for any zeros between other digits of a group, and before a lower group that has no
    thousands; a leading 一十 is short for 十.
    """
    upper, lower = divmod(number, 10_000)
    text = f"{_group(upper)}万" if upper else ""
    if upper and 0 < lower < 1000:
        text += "零"
    text = text + _group(lower) or "零"
    return text[1:] if text.startswith("一十") else text


def _group(number: int) -> str:
    """Up to four digits; "" for 0."""
    text, gap = "", False
    for power in (3, 2, 1, 0):
        digit = number // 10**power % 10
        if digit:
            text += ("零" if gap and text else "") + DIGITS[digit] + UNITS[power]
        gap = not digit
    return text


def _numbers() -> list[int]:
    """Different numbers of all magnitudes in random order, half of them with many zeros."""
    generator = random.Random(SEED)
    numbers = list(range(1000))
    for digits, count in COUNTS.items():
        chosen: set[int] = set()
        while len(chosen) < count:
            chosen.add(_number(digits, generator))
        numbers += sorted(chosen)
    generator.shuffle(numbers)
    return numbers


def _number(digits: int, generator: random.Random) -> int:
    # Evenly drawn numbers would have few zeros, which are what is hard in Chinese.
    zeros = generator.choice((0.1, 0.5))
    number = generator.randint(1, 9)
    for _ in range(digits - 1):
        digit = 0 if generator.random() < zeros else generator.randint(1, 9)
        number = number * 10 + digit
    return number


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
