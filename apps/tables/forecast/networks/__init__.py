"""Networks of forecasts."""
