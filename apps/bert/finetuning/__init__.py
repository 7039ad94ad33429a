"""Fine-tuning: one encoder, a head for each kind of task."""
