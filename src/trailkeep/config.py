"""trailkeep.yaml as one model: what to collect, and who is told of alerts."""

from typing import Any

from pydantic import Field, create_model

from trailkeep.alert.config import AlertsConfig, alerts_model
from trailkeep.collect.config import CollectConfig, collect_fields


class Config(CollectConfig):
    """Everything that trailkeep.yaml may say."""

    alerts: AlertsConfig = AlertsConfig()


def config_model(*, collectors: bool = True) -> type[Config]:
    """Config with every type of collector and channel there is. `collectors`: whether one must be named."""
    model = alerts_model()
    alerts: Any = (model, Field(default_factory=model))
    return create_model("Config", __base__=Config, collect=collect_fields(collectors), alerts=alerts)
