"""Distillation: a small student learns what a teacher computes."""
