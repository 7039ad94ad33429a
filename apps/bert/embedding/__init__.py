"""Vectors of sentences and word pieces, and semantic search."""
