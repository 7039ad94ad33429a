"""An LSTM and a Transformer over patches in plain PyTorch: windows a second of training steps."""

import torch
from timing import median_seconds, run
from torch import nn
from torch.nn import functional


def measure(
    architecture: str,
    rows: int,
    history: int,
    horizon: int,
    channels: int,
    hidden_dim: int,
    num_layers: int,
    num_heads: int = 1,
    patch_length: int = 1,
) -> dict[str, float]:
    """Windows a second.

    Args:
        architecture: "lstm" or "transformer".
        rows: windows at a time.
        history, horizon, channels: of a window.
        hidden_dim, num_layers, num_heads, patch_length: the network.
    """
    if architecture == "lstm":
        network = Recurrent(horizon, channels, hidden_dim, num_layers)
    else:
        patches = history // patch_length
        network = Transformer(patches, patch_length, horizon, hidden_dim, num_layers, num_heads)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.0, fused=True)
    inputs, targets = torch.randn(rows, history, channels), torch.randn(rows, horizon, channels)

    def step():
        optimizer.zero_grad()
        last = inputs[:, -1:]
        loss = functional.mse_loss(network(inputs - last) + last, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return {"windows": rows / median_seconds(step, warm=5, runs=30)}


class Recurrent(nn.Module):
    """Layers of an LSTM over all channels; all steps from the last output."""

    def __init__(self, horizon: int, channels: int, hidden_dim: int, num_layers: int):
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden_dim, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_dim, horizon * channels)
        self.channels = channels

    def forward(self, history):
        outputs, _ = self.lstm(history)
        return self.head(outputs[:, -1]).view(len(history), -1, self.channels)


class Transformer(nn.Module):
    """Patches of each channel as tokens of an encoder, normalised before each sublayer."""

    def __init__(
        self, patches: int, patch_length: int, horizon: int, hidden_dim: int, num_layers: int,
        num_heads: int,
    ):  # fmt: skip
        super().__init__()
        self.patches, self.patch_length = patches, patch_length
        self.embedding = nn.Linear(patch_length, hidden_dim)
        self.positions = nn.Parameter(torch.randn(patches, hidden_dim) * 0.02)
        self.blocks = nn.ModuleList(Block(hidden_dim, num_heads) for _ in range(num_layers))
        self.norm = nn.LayerNorm(hidden_dim)
        self.head = nn.Linear(patches * hidden_dim, horizon)

    def forward(self, history):
        rows, _, channels = history.shape
        patches = history.transpose(1, 2).reshape(-1, self.patches, self.patch_length)
        hidden = self.embedding(patches) + self.positions
        for block in self.blocks:
            hidden = block(hidden)
        outputs = self.head(self.norm(hidden).flatten(1))
        return outputs.view(rows, channels, -1).transpose(1, 2)


class Block(nn.Module):
    """Attention of all tokens, and a feed-forward network."""

    def __init__(self, hidden_dim: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(hidden_dim)
        self.query_key_value = nn.Linear(hidden_dim, 3 * hidden_dim)
        self.output = nn.Linear(hidden_dim, hidden_dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(hidden_dim),
            nn.Linear(hidden_dim, 4 * hidden_dim),
            nn.GELU(),
            nn.Linear(4 * hidden_dim, hidden_dim),
        )

    def forward(self, hidden):
        rows, length, width = hidden.shape
        heads = self.query_key_value(self.attention_norm(hidden))
        heads = heads.view(rows, length, 3, self.num_heads, width // self.num_heads)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(queries, keys, values)
        hidden = hidden + self.output(found.transpose(1, 2).reshape(rows, length, width))
        return hidden + self.feed_forward(hidden)


if __name__ == "__main__":
    run(measure)
