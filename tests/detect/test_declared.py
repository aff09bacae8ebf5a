"""What trailkeep.yaml declares in, lists for rules out; each mistake has its line."""

from pathlib import Path

import pytest

from trailkeep.config import config_model
from trailkeep.core.errors import ConfigError
from trailkeep.core.yaml_file import load_yaml
from trailkeep.detect.declared import Declared

GOOD = """\
lists:
  tor_exits: {file: tor.txt}
  Admin_Accounts: [root, 4711]
organisation:
  accounts: [111122223333, "012345678901"]
  networks: [10.0.0.0/8, 2001:db8::/32, 192.0.2.7]
  buckets: [acme-*]
canaries:
  keys: [AKIAEXAMPLE0C0A0N0A0]
  objects: [acme-backup/customers 2019.csv]
  resources: ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/master-*"]
  names: [vault.corp.example.com]
  files: [/root/.aws/credentials.bak, 'C:\\backup\\passwords.kdbx']
logs: {buckets: [acme-logs], readers: ["arn:aws:iam::111122223333:role/trailkeep"]}
"""


def declared(tmp_path: Path, text: str, **environment: str) -> Declared:
    (tmp_path / "trailkeep.yaml").write_text(text)
    return load_yaml(tmp_path / "trailkeep.yaml", Declared, environment)


def test_names_and_values_reach_rules(tmp_path: Path) -> None:
    (tmp_path / "tor.txt").write_text(
        "\ufeff# exits of today\n198.51.100.7\n\n203.0.113.9 # guard, too\n198.51.100.7\n"
    )
    assert declared(tmp_path, GOOD).as_lists().values == {
        "tor_exits": ("198.51.100.7", "203.0.113.9"),
        "admin_accounts": ("root", "4711"),
        "organisation_accounts": ("111122223333", "012345678901"),
        "organisation_networks": ("10.0.0.0/8", "2001:db8::/32", "192.0.2.7"),
        "organisation_buckets": ("acme-*",),
        "canary_keys": ("AKIAEXAMPLE0C0A0N0A0",),
        "canary_objects": ("acme-backup/customers 2019.csv",),
        "canary_resources": ("arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/master-*",),
        "canary_names": ("vault.corp.example.com",),
        "canary_files": ("/root/.aws/credentials.bak", "C:\\backup\\passwords.kdbx"),
        "log_buckets": ("acme-logs",),
        "log_readers": ("arn:aws:iam::111122223333:role/trailkeep",),
    }


def test_the_whole_configuration_says_the_same_and_refuses_other_keys(tmp_path: Path) -> None:
    (tmp_path / "tor.txt").write_text("198.51.100.7\n")
    path = tmp_path / "trailkeep.yaml"
    path.write_text(GOOD)
    whole = load_yaml(path, config_model(collectors=False), {})
    assert whole.as_lists() == declared(tmp_path, GOOD).as_lists()
    path.write_text(GOOD + "lists_of: {}\n")
    with pytest.raises(ConfigError, match=r"trailkeep.yaml:15: lists_of: no such key"):
        load_yaml(path, config_model(collectors=False), {})


def test_other_parts_of_the_file_are_left_to_those_who_read_them(tmp_path: Path) -> None:
    assert declared(tmp_path, "collect: {x: {type: nothing}}\n").as_lists().values == {}


def test_the_environment_declares_too(tmp_path: Path) -> None:
    told = declared(tmp_path, "home: lake\n", TRAILKEEP_CANARIES__ADDRESSES="[192.0.2.99]")
    assert told.as_lists().values == {"canary_addresses": ("192.0.2.99",)}


def test_an_empty_file_declares_nothing(tmp_path: Path) -> None:
    (tmp_path / "tor.txt").write_text("# nothing yet\n\n")
    assert declared(tmp_path, "lists: {tor_exits: {file: tor.txt}}\n").as_lists().values == {}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("organisation:\n  accounts:\n  - 012345670123", 3, "not an account of 12 digits; write it in quotes"),
        ("organisation:\n  networks:\n  - 10.0.0.1/8", 3, "neither an address nor a network"),
        ("organisation:\n  networkz: [10.0.0.0/8]", 2, "no such key"),
        ("organisation:\n  buckets: [Acme_Logs]", 2, "'Acme_Logs' is not the name of a bucket"),
        ("organisation:\n  principals: [alice]", 2, "'alice' is not an ARN"),
        ("canaries:\n  keys: [akia]", 2, "is not the id of an access key"),
        ("canaries:\n  objects: [customers.csv]", 2, "is not a bucket and a key"),
        ("canaries:\n  names: [vault.example.com.]", 2, "is not a DNS name"),
        ("canaries:\n  files: [passwords.txt]", 2, "is not the whole path of a file"),
        ("canaries:\n  records: [abc]", 2, "6 characters or more"),
        ("canaries:\n  addresses: [host.example.com]", 2, "neither an address nor a network"),
        ("lists:\n  mine:\n  - yes", 3, "True is no text; write it in quotes"),
        ("lists:\n  mine:\n  - ''", 3, "a text that begins and ends"),
        ("lists:\n  mine: {file: none.txt}", 2, "none.txt cannot be read: No such file"),
        ("lists:\n  mine: {file: bad.txt}", 2, "bad.txt:2: is not UTF-8"),
        ("lists:\n  mine: {path: x}", 2, "a list is values, or {file: ...} and nothing else"),
        ("lists:\n  mine: text", 2, "should be a valid list"),
        ("lists:\n  Canary_Keys: [x]", 1, "canary_keys is what canaries.keys declares"),
        ("lists:\n  'a b': [x]", 2, "String should match pattern"),
    ],
)
def test_a_mistake_has_its_line(tmp_path: Path, text: str, line: int, reason: str) -> None:
    (tmp_path / "bad.txt").write_bytes(b"x\n\xff\n")
    with pytest.raises(ConfigError) as told:
        declared(tmp_path, text)
    (fault,) = told.value.faults
    assert fault.line == line and reason in fault.reason, fault
