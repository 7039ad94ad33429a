"""Tables and series of numbers."""
