"""The sentence pairs of a run: from two line-aligned files, TSV, or a folder of such.

`--source` and `--target` name the sides as they stand in the data; `--reverse` swaps them
afterwards. Nothing is cleaned here: pair 17 comes from line 17.
"""

import dataclasses
import hashlib
import itertools
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from apps.translation.config import PairsConfig, TranslateConfig
from apps.translation.languages import Languages
from apps.translation.pairs.pair_paths import PairFiles, find_files, find_in_folder
from apps.translation.pairs.scripts import (
    guess_language,
    letters_of,
    main_script,
    script_warning,
)
from apps.translation.pairs.sentence_pairs import SentencePairs, read_files
from shared.common.errors import KerasuiteError
from shared.common.splits import TEST_NAMES, TRAIN_NAMES, VALIDATION_NAMES
from shared.text.language_codes import main_language


@dataclasses.dataclass(frozen=True)
class FoundPairs:
    """The data of a run.

    Attributes:
        train, validation: the pairs.
        source_language, target_language: "en", "zh", ...; "" where nothing tells.
        from_split: bool. Whether the validation pairs were taken from the training data.
        notes: remarks about the files for the user, a line each.
    """

    train: SentencePairs
    validation: SentencePairs
    source_language: str
    target_language: str
    from_split: bool
    notes: tuple[str, ...]


def find_pairs(config: TranslateConfig) -> FoundPairs:
    """Reads the pairs that a configuration names.

    Validation pairs come from `--validation`, else from the val, valid or dev files of the
    folders, else from the training pairs, chosen by a hash of the source sentence, so that equal
    sentences are all on one side.

    Raises:
        KerasuiteError: if files are missing, empty or of unequal length, or their languages
            are not clear.
    """
    options = config.pairs
    files = find_files(config.data, (options.source, options.target), TRAIN_NAMES)
    sides = _languages(files, options)
    train = read_files(files, options.reverse)
    languages = sides[::-1] if options.reverse else sides
    _check_order(languages, train)
    languages = (
        languages[0] or guess_language(train.source),
        languages[1] or guess_language(train.target),
    )
    files = _validation_files(config, sides)
    if not files:
        train, validation = split(train, options.validation_split, config.seed)
        return FoundPairs(train, validation, *languages, from_split=True, notes=train.notes)
    validation = read_files(files, options.reverse)
    notes = train.notes + validation.notes + _other_scripts(train, validation)
    return FoundPairs(train, validation, *languages, from_split=False, notes=notes)


def read_pairs(
    paths: Sequence[str], config: TranslateConfig, languages: tuple[str, str] = ("", "")
) -> SentencePairs:
    """Reads other pairs for a trained run, in the same formats.

    Of a folder the test files are read, else the validation files, else what is there.

    Args:
        paths: files or folders.
        config: of the run; `--reverse` holds here too.
        languages: the run's source and target language, as `find_pairs` gave them; files that
            end with them may be named in either order.

    Raises:
        KerasuiteError: see `find_pairs`.
    """
    known = languages[::-1] if config.pairs.reverse else languages
    named = (config.pairs.source or known[0], config.pairs.target or known[1])
    files = find_files(paths, named, (*TEST_NAMES, *VALIDATION_NAMES, *TRAIN_NAMES))
    pairs = read_files(files, config.pairs.reverse)
    _check_order(languages, pairs)
    return pairs


def other_scripts(pairs: SentencePairs, languages: Languages) -> tuple[str, ...]:
    """Warnings about files in other scripts than a model's training text."""
    notes = []
    for file, rows in itertools.groupby(range(len(pairs)), lambda row: _file_of(pairs.where[row])):
        rows = list(rows)
        for side in ("source", "target"):
            texts, expected = getattr(pairs, side), getattr(languages, f"{side}_script")
            letters = letters_of(texts[row] for row in rows)
            notes.append(script_warning(file, side, letters, expected))
    return tuple(filter(None, notes))


def _file_of(where: str) -> str:
    return where.rpartition(":")[0]


def split(pairs: SentencePairs, share: float, seed: int) -> tuple[SentencePairs, SentencePairs]:
    """Divides pairs into training and validation, equal source sentences on one side.

    Raises:
        KerasuiteError: if there are not two different source sentences.
    """
    keys = [_hash(text, seed) for text in pairs.source]
    ranked = sorted(set(keys))
    if len(ranked) < 2:
        raise KerasuiteError(
            f"{pairs.where[0]}: all {len(pairs)} pair(s) have the same source sentence, none can "
            f"be held out; give more pairs, or others with --validation"
        )
    # At least one sentence on each side, however few there are.
    limit = min(max(int(share * 2**64), ranked[0] + 1), ranked[-1])
    held_out = [key < limit for key in keys]
    numbers = range(len(pairs))
    return (
        pairs.take(number for number in numbers if not held_out[number]),
        pairs.take(number for number in numbers if held_out[number]),
    )


def same_form(text: str) -> str:
    """A sentence without differences of white space and of Unicode composition."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _hash(text: str, seed: int) -> int:
    content = same_form(text).encode("utf-8")
    digest = hashlib.blake2b(content, digest_size=8, key=seed.to_bytes(4, "big"))
    return int.from_bytes(digest.digest(), "big")


# === Languages ===


def _languages(files: Sequence[PairFiles], options: PairsConfig) -> tuple[str, str]:
    """The languages of the sides as they stand in the data."""
    different = sorted({item.languages for item in files if any(item.languages)})
    if len(different) > 1:
        raise KerasuiteError(
            "the files are of different languages: "
            + ", ".join(" and ".join(side or "?" for side in pair) for pair in different)
            + "; give files of the same two"
        )
    found = different[0] if different else ("", "")
    return options.source or found[0], options.target or found[1]


def _check_order(languages: tuple[str, str], pairs: SentencePairs) -> None:
    """Raises a KerasuiteError if the script tells that the sides are the other way round."""
    guesses = guess_language(pairs.source), guess_language(pairs.target)
    for side in (0, 1):
        name = main_language(languages[side])
        if name and guesses[side] != name and guesses[1 - side] == name:
            sides = ("source", "target")
            raise KerasuiteError(
                f"{pairs.where[0]}: by its script the {sides[1 - side]} side is '{name}', not the "
                f"{sides[side]} side; --source and --target name the sides as they stand in "
                f"DATA, --reverse swaps them afterwards"
            )


def _other_scripts(train: SentencePairs, validation: SentencePairs) -> tuple[str, ...]:
    notes = []
    for side in ("source", "target"):
        expected, found = main_script(getattr(train, side)), main_script(getattr(validation, side))
        if expected and found and expected != found:
            notes.append(
                f"{validation.where[0]}: the {side} sentences are {found} script, those to train "
                f"on {expected}; check the order of the files"
            )
    return tuple(notes)


def _validation_files(config: TranslateConfig, sides: tuple[str, str]) -> list[PairFiles]:
    if config.pairs.validation:
        return find_files(
            config.pairs.validation, sides, (*VALIDATION_NAMES, *TEST_NAMES, *TRAIN_NAMES)
        )
    folders = [Path(path) for path in config.data if Path(path).is_dir()]
    found = [find_in_folder(folder, sides, VALIDATION_NAMES) for folder in folders]
    return [files for files in found if files]
