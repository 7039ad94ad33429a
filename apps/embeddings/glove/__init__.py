"""GloVe: counting co-occurrences, and factorising the logarithms of their counts."""
