"""Text files to words, vocabulary and word ids."""
