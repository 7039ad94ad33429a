"""Compression of trained models: pruning, factorisation, int8."""
