"""Fine-tuning: one encoder, a head for each type of task."""
