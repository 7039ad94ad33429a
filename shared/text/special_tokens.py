"""Ids of the tokens that are no text, the same in every vocabulary."""

PAD, UNK, START, END = range(4)
