"""Language models that write: recurrent networks and the Transformer that reads one way."""
