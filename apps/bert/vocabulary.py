"""Word pieces of a run: taken from where it starts, from a file, or learnt from its data."""

from shared.common.config import config_class, option


@config_class
class VocabularyConfig:
    """Word pieces, where --init brings none."""

    vocabulary: str = option("", "A vocab.txt; by default the one of --init, or one learnt.")
    vocabulary_size: int = option(8000, "Word pieces, if they are learnt from the data.", ge=64)
    lowercase: bool = option(True, "Lower-cases and strips accents, with a learnt vocabulary.")
