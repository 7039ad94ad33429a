"""Plots and HTML pages of results."""
