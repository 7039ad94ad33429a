"""Reading and writing Marian checkpoints of Hugging Face."""
