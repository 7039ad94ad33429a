"""Figures and pictures of forecasts."""
