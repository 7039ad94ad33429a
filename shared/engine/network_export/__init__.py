"""Exports of the network alone, for other runtimes than TensorFlow."""
