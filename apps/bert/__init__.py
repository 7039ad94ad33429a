"""BERT: pretraining, fine-tuning and distillation into TinyBERT."""
