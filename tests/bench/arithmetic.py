"""How much of a machine's arithmetic a measurement is: what no program can go beyond.

A ratio to another library says who is faster; this says how much there is left to gain.
"""

import time

SIZE, RUNS = 2048, 8


def encoder_operations(
    length: int, num_layers: int, hidden_dim: int, intermediate_dim: int, **_
) -> float:
    """Floating-point operations of a BERT encoder for the [CLS] of one sequence.

    Multiplications and additions of all matrix products. The last block counts for nothing: for one
    position it needs next to none.
    """
    dense = length * hidden_dim * (4 * hidden_dim + 2 * intermediate_dim)
    attention = 2 * length**2 * hidden_dim
    return 2.0 * (num_layers - 1) * (dense + attention)


def peak() -> float:
    """Operations a second of large float32 products, two at once so that all cores have work."""
    import tensorflow as tf

    pairs = [[tf.random.normal((SIZE, SIZE)) for _ in range(2)] for _ in range(2)]

    @tf.function
    def products():
        return [tf.reduce_max(tf.matmul(*pair)) for pair in pairs]

    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        [float(value) for value in products()]
        seconds.append(time.perf_counter() - started)
    return len(pairs) * 2.0 * SIZE**3 / min(seconds)


def described(operations: float, rate: float, needed: float) -> str:
    """The rates in GFLOP/s: what is reached, what the floor asks for, what the cores give."""
    return (
        f"{operations * rate / 1e9:.0f} GFLOP/s, the floor is {operations * needed / 1e9:.0f}, "
        f"large products reach {peak() / 1e9:.0f}"
    )
