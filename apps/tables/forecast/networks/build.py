"""The network that a configuration describes."""

from apps.tables.forecast.config import MLP, TRANSFORMER, ForecastConfig
from apps.tables.forecast.networks.forecast_network import ForecastNetwork
from apps.tables.forecast.networks.linear import DLinear, Linear, NLinear
from apps.tables.forecast.networks.multilayer_perceptron import TimePerceptron
from apps.tables.forecast.networks.recurrent import RecurrentForecaster
from apps.tables.forecast.networks.transformer import PatchTransformer
from apps.tables.forecast.schema import Schema

CLASSES = {
    "linear": Linear,
    "nlinear": NLinear,
    "dlinear": DLinear,
    MLP: TimePerceptron,
    TRANSFORMER: PatchTransformer,
}


def build_network(config: ForecastConfig, schema: Schema) -> ForecastNetwork:
    """Builds the network of a configuration for the series of a schema."""
    network = CLASSES.get(config.model.architecture, RecurrentForecaster)(
        config.model,
        config.loss,
        schema.history,
        schema.horizon,
        len(schema.columns.targets),
        len(schema.columns.future),
    )
    network.build()
    return network
