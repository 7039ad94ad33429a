"""Smaller models of a trained one: pruning, factorisation, int8."""
