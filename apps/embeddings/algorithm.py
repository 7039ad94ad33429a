"""Construction of the model of a configuration."""

import keras

from apps.embeddings.config import IMPORTED, EmbedConfig
from apps.embeddings.corpus.vocabulary import Vocabulary
from apps.embeddings.data import block_shape
from apps.embeddings.fixed_vectors import FixedVectors
from apps.embeddings.glove.glove import GloVe
from apps.embeddings.word2vec.cbow import Cbow
from apps.embeddings.word2vec.hierarchical_softmax import HierarchicalCbow, HierarchicalSkipGram
from apps.embeddings.word2vec.huffman import huffman_paths
from apps.embeddings.word2vec.skip_gram import SkipGram

NEGATIVE_SAMPLING = {"skipgram": SkipGram, "cbow": Cbow}
HIERARCHICAL = {"skipgram": HierarchicalSkipGram, "cbow": HierarchicalCbow}


def build_model(config: EmbedConfig, vocabulary: Vocabulary) -> keras.Model:
    """Builds an untrained model for a vocabulary."""
    options = config.model
    if options.algorithm == IMPORTED:
        return FixedVectors(len(vocabulary), options.dim)
    if options.algorithm == "glove":
        return GloVe(len(vocabulary), options.dim, config.glove.x_max, config.glove.alpha)
    if options.loss == "hierarchical-softmax":
        paths = huffman_paths(vocabulary.counts)
        model = HIERARCHICAL[options.algorithm](
            len(vocabulary), options.dim, options.window, code_length=paths.nodes.shape[1]
        )
        model.set_paths(paths)
    else:
        model = NEGATIVE_SAMPLING[options.algorithm](
            len(vocabulary), options.dim, options.window, options.negatives
        )
    kept = vocabulary.keep_probabilities(options.subsample) * vocabulary.counts
    model.prepare_training(
        kept / kept.sum(), vocabulary.noise_distribution(), block_shape(config).micro_step
    )
    return model
