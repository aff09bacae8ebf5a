"""What the guide shows is read as it stands."""

import base64
import hashlib
import hmac
import re
import time
from pathlib import Path
from typing import Any

from trailkeep.alert.channels.webhook import signature
from trailkeep.alert.config import channel_types
from trailkeep.config import config_model
from trailkeep.core.yaml_file import load_yaml

GUIDE = (Path(__file__).parents[2] / "docs/how-to/alerts.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_the_configuration_of_the_guide_has_no_faults(tmp_path: Path) -> None:
    (tmp_path / "trailkeep.yaml").write_text(block("yaml"))
    told = load_yaml(tmp_path / "trailkeep.yaml", config_model(collectors=False), {}).alerts
    assert len(told.channels) == len(told.routes) == 4


def test_the_check_of_the_guide_accepts_what_is_ours_and_once() -> None:
    space: dict[str, Any] = {"hmac": hmac, "hashlib": hashlib, "base64": base64, "time": time}
    exec(block("python"), space)
    key, stamp = "a secret of more than sixteen bytes", str(int(time.time()))
    headers = {"webhook-id": "1", "webhook-timestamp": stamp, "webhook-signature": signature(key, "1", stamp, b"{}")}
    accepts = space["is_ours"]
    assert accepts(headers, b"{}", key.encode(), set())
    assert not accepts(headers, b"{}", key.encode(), {"1"})
    assert not accepts(headers | {"webhook-id": "2"}, b"{}", key.encode(), {"1"})
    assert not accepts(headers, b"{ }", key.encode(), set())
    old = str(int(stamp) - 301)
    assert not accepts(headers | {"webhook-timestamp": old}, b"{}", key.encode(), set())


def test_every_channel_is_in_the_guide() -> None:
    assert not [name for name in channel_types() if f"| `{name}` |" not in GUIDE]
