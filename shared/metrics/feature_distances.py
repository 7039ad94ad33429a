"""FID and KID: distances of generated from real pictures in the space of a feature network."""

import inspect

import keras
import numpy as np
import scipy.linalg

from shared.common.errors import KerasuiteError

PREFIX = "keras:"
BATCH = 32


class FeatureNetwork:
    """The pooled features of a network of `keras.applications`.

    Args:
        name: str. A network of keras.applications, such as "keras:InceptionV3".
        weights: str. "imagenet" or a weights file.

    Raises:
        KerasuiteError: if there is no such network or its weights are not there.
    """

    def __init__(self, name: str, weights: str = "imagenet"):
        short = name.removeprefix(PREFIX)
        build = getattr(keras.applications, short, None)
        if not name.startswith(PREFIX) or not inspect.isfunction(build):
            raise KerasuiteError(
                f"--features {name}: is no network of keras.applications; for example "
                f"keras:InceptionV3, or none"
            )
        module = inspect.getmodule(build)
        self._preprocess = module.preprocess_input
        try:
            self._model = build(include_top=False, weights=weights, pooling="avg")
        except Exception as error:  # of the network, of files, of HDF5: in many types
            raise KerasuiteError(
                f"--features {name}: its weights '{weights}' cannot be loaded "
                f"({str(error).splitlines()[0][:120]}); give a file with --feature-weights"
            ) from error
        self.side = 299 if short in ("InceptionV3", "InceptionResNetV2", "Xception") else 224

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures uint8 (N, H, W, 3) to features float64 (N, D)."""
        found = []
        for begin in range(0, len(pictures), BATCH):
            resized = keras.ops.image.resize(
                pictures[begin : begin + BATCH].astype("float32"), (self.side, self.side),
                antialias=True,
            )  # fmt: skip
            inputs = self._preprocess(np.array(resized))
            found.append(np.asarray(self._model(inputs, training=False), np.float64))
        return np.concatenate(found)


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Fréchet distance of normal distributions fitted to two sets of features.

    `|m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))`.

    Args:
        real, fake: float (N, D) and (M, D), at least two rows each.

    Reference: [Heusel et al., 2017](https://arxiv.org/abs/1706.08500)
    """
    means = real.mean(axis=0), fake.mean(axis=0)
    one, two = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (real, fake))
    # The root of C1^(1/2) C2 C1^(1/2) has the same trace, and its argument is symmetric.
    root = _symmetric_root(one)
    cross = np.trace(_symmetric_root(root @ two @ root))
    distance = np.sum((means[0] - means[1]) ** 2) + np.trace(one) + np.trace(two) - 2 * cross
    return float(max(distance, 0.0))


def _symmetric_root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = scipy.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T


def kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / D + 1)^3.

    Args:
        real, fake: float (N, D) and (M, D), at least two rows each.

    Reference: [Binkowski et al., 2018](https://arxiv.org/abs/1801.01401)
    """

    def kernel(left, right):
        return (left @ right.T / left.shape[1] + 1.0) ** 3

    def mean_of_others(rows):
        count, matrix = len(rows), kernel(rows, rows)
        return (matrix.sum() - np.trace(matrix)) / (count * (count - 1))

    return float(mean_of_others(real) + mean_of_others(fake) - 2 * kernel(real, fake).mean())
