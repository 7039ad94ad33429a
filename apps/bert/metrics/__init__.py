"""The metrics of the tasks: GLUE's, entities, answers. All are fractions, not per cent."""
