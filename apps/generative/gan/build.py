"""The GAN that a configuration names."""

from apps.generative.gan.config import ModelConfig, ObjectiveConfig
from apps.generative.gan.gan import GAN
from apps.generative.gan.remedies.mode_regularized_gan import ModeRegularizedGAN
from apps.generative.gan.remedies.multi_agent_gan import MultiAgentGAN
from apps.generative.gan.remedies.unrolled_gan import UnrolledGAN

REMEDIES = {"none": GAN, "unrolled": UnrolledGAN, "mad": MultiAgentGAN, "mr": ModeRegularizedGAN}


def build_gan(
    config: ModelConfig,
    objective: ObjectiveConfig,
    shape: tuple[int, int, int],
    classes: int = 0,
    synchronized: bool = False,
) -> GAN:
    """The model, not compiled yet.

    Args:
        config: ModelConfig. Its networks.
        objective: ObjectiveConfig. Its game, and the remedy against collapse.
        shape: (side, side, channels) of the pictures.
        classes: int. Number of classes to learn; 0 without.
        synchronized: bool. Batch statistics over all replicas.
    """
    return REMEDIES[objective.remedy](config, objective, shape, classes, synchronized)
