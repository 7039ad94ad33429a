"""Vectors of sentences and word pieces, and search by meaning."""
