"""Errors, files, configuration, inputs and progress: the base of all other packages."""
