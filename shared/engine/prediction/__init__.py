"""Batch inference: an exported model applied to any number of inputs."""
