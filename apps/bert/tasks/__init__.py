"""Files of labelled text to examples."""
