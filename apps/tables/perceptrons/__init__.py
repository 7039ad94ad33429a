"""Perceptrons, residual networks and Transformers on tables."""
