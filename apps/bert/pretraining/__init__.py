"""Pretraining on plain text: masked words, and whether two segments belong together."""
