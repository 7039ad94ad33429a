"""Sentences, pairs and multiple choice."""
