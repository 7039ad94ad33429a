"""Recurrent layers of Keras whose gradients are written out, for training on CPUs."""

from shared.layers.recurrences.elman import SimpleRNN
from shared.layers.recurrences.gru import GRU
from shared.layers.recurrences.lstm import LSTM

__all__ = ["GRU", "LSTM", "SimpleRNN"]
