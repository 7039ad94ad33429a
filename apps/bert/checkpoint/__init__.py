"""Reading and writing BERT checkpoints of Hugging Face and Google."""
