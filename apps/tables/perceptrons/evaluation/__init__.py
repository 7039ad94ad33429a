"""Figures and pictures of predictions, trees to compare with, and what predictions depend on."""
