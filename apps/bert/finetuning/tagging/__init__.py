"""Tagging: a tag for each word, spans in raw text."""
