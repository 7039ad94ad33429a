"""An LSTM and a Transformer in plain PyTorch: tokens a second of writing, or of training steps."""

import torch
from timing import median_seconds, run
from torch import nn
from torch.nn import functional

TEMPERATURE = 0.8
Cache = tuple[torch.Tensor, torch.Tensor]


def measure(
    task: str,
    architecture: str,
    batches: list[int],
    alphabet: str,
    vocabulary: int,
    length: int,
    written: int,
    num_layers: int,
    hidden_dim: int,
    num_heads: int = 1,
) -> dict[str, float]:
    """Tokens a second, by the size of the batch.

    Args:
        task: "writing" (from strings to strings) or "training" (on token numbers).
        architecture: "lstm" or "transformer".
        batches: texts at a time.
        alphabet: characters, each a token.
        vocabulary: number of tokens; those beyond the alphabet are never written.
        length: tokens of a prompt, or of a window to train on.
        written: tokens that are written behind a prompt.
        num_layers, hidden_dim, num_heads: the network.
    """
    if architecture == "lstm":
        network = Recurrent(vocabulary, num_layers, hidden_dim)
    else:
        network = Transformer(vocabulary, length + written, num_layers, hidden_dim, num_heads)
    prepare = {"writing": writing, "training": training}[task]
    tokens_of_row = written if task == "writing" else length
    rates = {}
    for rows in batches:
        call = prepare(network, rows, alphabet, vocabulary, length, written)
        rates[str(rows)] = rows * tokens_of_row / median_seconds(call, runs=9)
    return rates


class Recurrent(nn.Module):
    """Layers of an LSTM; the embedding is the output matrix, too."""

    def __init__(self, vocabulary: int, num_layers: int, hidden_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden_dim)
        self.lstm = nn.LSTM(hidden_dim, hidden_dim, num_layers, batch_first=True)

    def start(self, rows: int, slots: int):
        return None

    def forward(self, tokens, begin=0, state=None):
        return self.lstm(self.embedding(tokens), state)

    def logits(self, hidden):
        return functional.linear(hidden, self.embedding.weight)


class Transformer(nn.Module):
    """GPT-2's blocks with a cache of keys and values, as nanoGPT writes them."""

    def __init__(
        self, vocabulary: int, positions: int, num_layers: int, hidden_dim: int, num_heads: int
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden_dim)
        self.positions = nn.Embedding(positions, hidden_dim)
        self.blocks = nn.ModuleList(Block(hidden_dim, num_heads) for _ in range(num_layers))
        self.norm = nn.LayerNorm(hidden_dim)

    def start(self, rows: int, slots: int) -> list[Cache]:
        return [block.cache(rows, slots) for block in self.blocks]

    def forward(self, tokens, begin=0, state=None):
        places = torch.arange(begin, begin + tokens.shape[1])
        hidden = self.embedding(tokens) + self.positions(places)
        for block, cache in zip(self.blocks, state or [None] * len(self.blocks), strict=True):
            hidden = block(hidden, begin, cache)
        return self.norm(hidden), state

    def logits(self, hidden):
        return functional.linear(hidden, self.embedding.weight)


class Block(nn.Module):
    """Attention and a feed-forward network, normalised before each."""

    def __init__(self, hidden_dim: int, num_heads: int):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, hidden_dim // num_heads
        self.attention_norm = nn.LayerNorm(hidden_dim)
        self.query_key_value = nn.Linear(hidden_dim, 3 * hidden_dim)
        self.output = nn.Linear(hidden_dim, hidden_dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(hidden_dim),
            nn.Linear(hidden_dim, 4 * hidden_dim),
            nn.GELU(),
            nn.Linear(4 * hidden_dim, hidden_dim),
        )

    def cache(self, rows: int, slots: int) -> Cache:
        shape = (rows, self.num_heads, slots, self.head_dim)
        return torch.empty(shape), torch.empty(shape)

    def forward(self, hidden, begin: int, cache: Cache | None):
        hidden = hidden + self.attend(self.attention_norm(hidden), begin, cache)
        return hidden + self.feed_forward(hidden)

    def attend(self, x, begin: int, cache: Cache | None):
        rows, length, width = x.shape
        heads = self.query_key_value(x).view(rows, length, 3, self.num_heads, self.head_dim)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        if cache is not None:
            end = begin + length
            for kept, new in zip(cache, (keys, values), strict=True):
                kept[:, :, begin:end] = new
            keys, values = (kept[:, :, :end] for kept in cache)
        found = functional.scaled_dot_product_attention(queries, keys, values, is_causal=length > 1)
        return self.output(found.transpose(1, 2).reshape(rows, length, width))


def writing(network, rows: int, alphabet: str, vocabulary: int, length: int, written: int):
    """The call that writes behind prompts, token by token."""
    network.eval()
    first = vocabulary - len(alphabet)
    numbers = {character: number + first for number, character in enumerate(alphabet)}
    picked = torch.randint(len(alphabet), (rows, length)).tolist()
    prompts = ["".join(alphabet[number] for number in row) for row in picked]

    def draw(hidden):
        logits = network.logits(hidden[:, -1])
        logits[:, :first] = -torch.inf
        probabilities = torch.softmax(logits / TEMPERATURE, -1)
        # A race of exponential clocks: one draw of each row, faster than `multinomial`.
        clocks = torch.empty_like(probabilities).exponential_()
        return (probabilities / clocks).argmax(-1, keepdim=True)

    @torch.inference_mode()
    def write():
        tokens = torch.tensor([[numbers[character] for character in text] for text in prompts])
        hidden, state = network(tokens, state=network.start(rows, length + written))
        found = [draw(hidden)]
        for place in range(length, length + written - 1):
            hidden, state = network(found[-1], place, state)
            found.append(draw(hidden))
        texts = torch.cat(found, 1).tolist()
        return ["".join(alphabet[number - first] for number in row) for row in texts]

    return write


def training(network, rows: int, alphabet: str, vocabulary: int, length: int, written: int):
    """The call of one optimiser step."""
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.0, fused=True)
    tokens = torch.randint(vocabulary, (rows, length + 1))

    def step():
        optimizer.zero_grad()
        logits = network.logits(network(tokens[:, :-1])[0])
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    run(measure)
