"""Translation: recurrent encoder-decoder with attention, and Transformer."""
