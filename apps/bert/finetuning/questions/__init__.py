"""Question answering: answers as spans of a context."""
