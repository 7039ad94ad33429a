"""Word embeddings: word2vec (skip-gram and CBOW) and GloVe."""
