"""Trained word vectors: files, neighbours, benchmarks, documents, plots."""
