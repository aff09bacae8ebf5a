"""trailkeep.yaml as one model: what to collect, what is the user's own, and who is told of alerts."""

from typing import Any

from pydantic import ConfigDict, Field, create_model

from trailkeep.alert.config import AlertsConfig, alerts_model
from trailkeep.collect.config import CollectConfig, collect_fields
from trailkeep.detect.declared import Declared


class Config(CollectConfig, Declared):
    """Everything that trailkeep.yaml may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alerts: AlertsConfig = AlertsConfig()


def config_model(*, collectors: bool = True) -> type[Config]:
    """Config with every type of collector and channel there is. `collectors`: whether one must be named."""
    model = alerts_model()
    alerts: Any = (model, Field(default_factory=model))
    return create_model("Config", __base__=Config, collect=collect_fields(collectors), alerts=alerts)
