"""The training loop, checkpoints with exact resume, and the records of a training."""
