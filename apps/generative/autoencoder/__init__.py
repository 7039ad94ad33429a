"""Autoencoders: codes from pictures, and pictures from codes."""
