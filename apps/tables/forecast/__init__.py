"""Forecasts of time series: linear, recurrent and Transformer networks."""
