"""BERT checkpoints as people have them, read and written."""
