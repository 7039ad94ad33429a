"""Sentence pairs to vocabularies, token ids and batches."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from apps.translation.config import MARIAN, MAX_TOKENS, MIN_RATIO, TranslateConfig
from apps.translation.marian_tokenizer import MarianTokenizer, read_vocabularies
from apps.translation.pairs.cleaning import clean_pairs
from apps.translation.pairs.encoded_pairs import EncodedPairs, encode
from apps.translation.pairs.pair_files import find_pairs
from apps.translation.pairs.scripts import main_script
from apps.translation.pairs.sentence_pairs import SentencePairs
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path, read_json, write_json
from shared.common.messages import warn
from shared.text.batch_plan import BatchPlan
from shared.text.sentences import Sentences
from shared.text.subword_tokenizer import SubwordTokenizer, train_tokenizer

TRAIN, VALIDATION, VALIDATION_TEXT = "train.npz", "validation.npz", "validation.json"
SOURCE_MODEL, TARGET_MODEL = "source.model", "target.model"
# Tokens of an imported model.
VOCABULARIES = "vocabularies.json"
CLEANING = "cleaning.json"


@dataclasses.dataclass(frozen=True)
class Tokenizers:
    """The tokenizers of the two languages; one and the same where they share a vocabulary."""

    source: SubwordTokenizer | MarianTokenizer
    target: SubwordTokenizer | MarianTokenizer

    @classmethod
    def load(cls, folder: Path) -> "Tokenizers":
        if (folder / VOCABULARIES).is_file():
            models = ((folder / name).read_bytes() for name in (SOURCE_MODEL, TARGET_MODEL))
            sides = read_vocabularies(folder / VOCABULARIES)
            return cls(*map(MarianTokenizer, models, sides))
        source = SubwordTokenizer((folder / SOURCE_MODEL).read_bytes())
        if not (folder / TARGET_MODEL).is_file():
            return cls(source, source)
        return cls(source, SubwordTokenizer((folder / TARGET_MODEL).read_bytes()))


def prepare_pairs(config: TranslateConfig, folder: Path) -> dict[str, Any]:
    """Reads and cleans the pairs, learns the vocabularies and writes everything as token ids.

    Returns:
        Artifacts: languages, scripts, and numbers of pairs, of tokens and of vocabulary entries.
    """
    found = find_pairs(config)
    for note in found.notes:
        warn(note)
    learn_vocabularies(config, found.train, folder)
    tokenizers = Tokenizers.load(folder)
    train = encode_pairs(found.train, tokenizers)
    cleaned = clean_pairs(found.train, train.source.lengths, train.target.lengths, config.pairs)
    write_json(folder / CLEANING, cleaned.report)
    if cleaned.summary():
        warn(f"{cleaned.summary()}; see {folder / CLEANING}")
    train = train.take(cleaned.kept)
    train.save(folder / TRAIN)
    write_validation(found.validation, tokenizers, config, folder)
    return {
        "source_language": found.source_language,
        "target_language": found.target_language,
        "source_script": main_script(found.train.source),
        "target_script": main_script(found.train.target),
        "train_pairs": len(train),
        "validation_pairs": len(found.validation),
        "source_tokens": int(train.source.lengths.sum()),
        "target_tokens": int(train.target.lengths.sum()),
        "source_vocabulary": tokenizers.source.vocabulary_size,
        "target_vocabulary": tokenizers.target.vocabulary_size,
        "length_ratio": length_ratio(train),
    }


def length_ratio(pairs: EncodedPairs) -> float:
    """Target tokens for a source token, END included, in all but one pair of a hundred.

    At least MIN_RATIO: with subwords of both languages that is plenty. With characters it is much
    more where one of the source's is a word, as in Chinese.
    """
    ratios = (pairs.target.lengths + 1) / (pairs.source.lengths + 1)
    return max(MIN_RATIO, float(np.quantile(ratios, 0.99)))


def resolved_with_init(config: TranslateConfig) -> TranslateConfig:
    """The configuration of a run with --init: with the vocabulary of the other run.

    Its weights mean nothing with other words. An imported model brings its network too. Warns of
    options that say otherwise.

    Raises:
        KerasuiteError: if --init has no vocabulary.
    """
    if not config.init:
        return config
    folder = _init_folder(config)
    if not (folder / SOURCE_MODEL).is_file():
        raise KerasuiteError(
            f"--init {config.init}: no {SOURCE_MODEL} is there, the vocabulary of its weights; "
            f"give the folder of a translation run"
        )
    theirs = configs.load(TranslateConfig, folder / "config.yaml")
    config, unused = configs.inherit_group(config, "tokens", theirs.tokens)
    brings = "vocabulary"
    if theirs.tokens.vocabulary == MARIAN:
        brings = "vocabulary and network"
        rates = ("dropout", "attention_dropout")
        config, more = configs.inherit_group(config, "model", theirs.model, keep=rates)
        unused = [*unused, *more]
    if unused:
        warn(f"--init {config.init}: brings its {brings}; not used: {', '.join(unused)}")
    return config


def _init_folder(config: TranslateConfig) -> Path:
    """The run folder of --init, which may name the weights in it."""
    path = Path(config.init)
    return path if path.is_dir() else path.parent


def learn_vocabularies(config: TranslateConfig, pairs: SentencePairs, folder: Path) -> None:
    """Writes `source.model`, and `target.model` where the languages do not share it.

    Raises:
        KerasuiteError: if the kind of vocabulary cannot be learnt.
    """
    options = config.tokens
    if config.init:
        for name in (SOURCE_MODEL, TARGET_MODEL, VOCABULARIES):
            if (_init_folder(config) / name).is_file():
                shutil.copyfile(_init_folder(config) / name, folder / name)
        return
    if options.vocabulary == MARIAN:
        raise KerasuiteError(
            "--vocabulary marian: comes with the model that --init names, see `kerasuite translate "
            "import`; to learn subwords of these pairs, use --vocabulary unigram"
        )

    def learn(sentences, name: str, *source: str) -> None:
        model = train_tokenizer(sentences, options.vocabulary, options.vocabulary_size, *source)
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(model)

    if options.shared_vocabulary:
        learn([*pairs.source, *pairs.target], SOURCE_MODEL)
    else:
        learn(pairs.source, SOURCE_MODEL, "source side")
        learn(pairs.target, TARGET_MODEL, "target side")


def encode_pairs(pairs: SentencePairs, tokenizers: Tokenizers) -> EncodedPairs:
    return EncodedPairs(
        encode(pairs.source, tokenizers.source), encode(pairs.target, tokenizers.target)
    )


def encode_validation(
    pairs: SentencePairs, tokenizers: Tokenizers, config: TranslateConfig
) -> EncodedPairs:
    """Validation pairs as token ids, none longer than training pairs and exported models may be.

    The text of the pairs stays whole: a translation is compared with all of its reference.
    """
    limit = max(config.pairs.max_tokens, MAX_TOKENS - 1)
    encoded = encode_pairs(pairs, tokenizers)
    lengths = np.maximum(encoded.source.lengths, encoded.target.lengths)
    long = np.flatnonzero(lengths > limit)
    if not len(long):
        return encoded
    warn(
        f"{pairs.where[long[0]]}: {len(long):,} pair(s) have a side of more than {limit} tokens, "
        f"this is the first; the rest of it is not read; cut it into sentences"
    )
    return EncodedPairs(_cut(encoded.source, limit), _cut(encoded.target, limit))


def _cut(sentences: Sentences, limit: int) -> Sentences:
    return Sentences.of(sentences[index][:limit] for index in range(len(sentences)))


def write_validation(
    pairs: SentencePairs, tokenizers: Tokenizers, config: TranslateConfig, folder: Path
) -> None:
    """Writes validation pairs as text, for BLEU, and as token ids."""
    write_json(folder / VALIDATION_TEXT, dataclasses.asdict(pairs))
    encode_validation(pairs, tokenizers, config).save(folder / VALIDATION)


def read_validation(folder: Path) -> SentencePairs:
    return SentencePairs(**read_json(folder / VALIDATION_TEXT))


def batch_plan(pairs: EncodedPairs, config: TranslateConfig, replicas: int = 1) -> BatchPlan:
    """The batches of a training.

    Raises:
        KerasuiteError: if a batch need not have a pair for each of the replicas.
    """
    # END included.
    lengths = np.stack([pairs.source.lengths, pairs.target.lengths], axis=1) + 1
    max_length = int(lengths.max())
    if not config.batch_size and config.batch_tokens < replicas * (max_length + 1):
        raise KerasuiteError(
            f"--batch-tokens {config.batch_tokens}: does not hold a pair of {max_length} tokens "
            f"for each of {replicas} replica(s); raise it or lower --max-tokens"
        )
    return BatchPlan(lengths, config.batch_tokens, config.batch_size, config.seed)
