"""Columns of a table: their kinds, what is learnt of them, and their way into the network."""
