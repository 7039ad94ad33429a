"""Remedies against mode collapse: GANs with another game or more networks."""
