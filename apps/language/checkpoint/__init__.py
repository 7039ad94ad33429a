"""Reading and writing GPT-2 checkpoints of Hugging Face."""
