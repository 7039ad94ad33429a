"""Thresholds and reports that tasks with several labels an example share."""
