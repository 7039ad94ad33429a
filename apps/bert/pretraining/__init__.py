"""Pretraining on plain text: masked language model and next-sentence prediction."""
