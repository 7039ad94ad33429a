"""Text in the graph: lookup tables, tokenizers, normalisation."""
