"""Batch inference of language models: prompts and texts in, texts and scores out."""
