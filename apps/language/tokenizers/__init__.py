"""Characters, words or subwords of a text, in the graph."""
