"""Configuration of the vocabulary: from --init, from a file, or learnt from the data."""

from shared.common.config import config_class, option


@config_class
class VocabularyConfig:
    """Word pieces of a run without --init."""

    vocabulary: str = option("", "A vocab.txt; by default that of --init, or learnt from the data.")
    vocabulary_size: int = option(
        8000, "Number of word pieces to learn from the data.",
        used_with={"vocabulary": "", "init": ""}, ge=64,
    )  # fmt: skip
    lowercase: bool = option(
        True, "Lower-case text and strip accents; --init brings its own choice.",
        used_with={"init": ""},
    )  # fmt: skip
