"""The network that a configuration describes."""

from apps.tables.perceptrons.columns.schema import Schema
from apps.tables.perceptrons.config import FT, RESNET, TableConfig
from apps.tables.perceptrons.networks.ft_transformer import FTTransformer
from apps.tables.perceptrons.networks.multilayer_perceptron import MultilayerPerceptron
from apps.tables.perceptrons.networks.residual_network import ResidualNetwork
from apps.tables.perceptrons.networks.table_network import TableNetwork

CLASSES = {RESNET: ResidualNetwork, FT: FTTransformer}


def build_network(config: TableConfig, schema: Schema, synchronized: bool = False) -> TableNetwork:
    """Builds the network.

    Args:
        config: the configuration.
        schema: columns and target.
        synchronized: bool. Synchronises batch normalisation over the replicas.
    """
    network = CLASSES.get(config.model.architecture, MultilayerPerceptron)(
        config.model,
        config.loss,
        schema.number_slots,
        schema.category_sizes,
        schema.target.outputs,
        schema.target.means,
        schema.target.deviations,
        synchronized,
    )
    network.build()
    return network
