"""General distillation: a student learns a pretrained encoder's layers on plain text."""
