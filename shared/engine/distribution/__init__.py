"""Devices, strategies and the workers of a cluster."""
