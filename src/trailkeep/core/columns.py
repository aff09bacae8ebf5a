"""The stored schema: each column of the `events` table, its SQL type and the one OCSF path it holds.

Flat on purpose: Iceberg writers keep min/max for top-level columns only, and pruning lives on them. The first
columns get statistics in every engine. Columns are only added, at the end, never renamed, retyped or removed:
Iceberg gives each its field id when the table first learns of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A stored column: `path` is its OCSF 1.5.0 path, or its own name where OCSF has no place for it."""

    name: str
    type: str
    path: str


def _columns(*rows: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


T = "VARCHAR"

MAPPED = _columns(
    ("time", "TIMESTAMP WITH TIME ZONE", "time"),
    ("source", T, "source"),
    ("account_uid", T, "cloud.account.uid"),
    ("region", T, "cloud.region"),
    ("service", T, "api.service.name"),
    ("event_name", T, "api.operation"),
    ("principal", T, "principal"),
    ("src_ip", T, "src_endpoint.ip"),
    ("access_key", T, "actor.user.credential_uid"),
    ("event_uid", T, "metadata.uid"),
    ("class_uid", "INTEGER", "class_uid"),
    ("activity_id", "INTEGER", "activity_id"),
    ("severity_id", "INTEGER", "severity_id"),
    ("status_id", "INTEGER", "status_id"),
    ("error_code", T, "api.response.error"),
    ("error_message", T, "api.response.message"),
    ("user_type", T, "actor.user.type"),
    ("user_name", T, "actor.user.name"),
    ("user_uid", T, "actor.user.uid"),
    ("user_uid_alt", T, "actor.user.uid_alt"),
    ("user_account", T, "actor.user.account.uid"),
    ("invoked_by", T, "actor.invoked_by"),
    ("session_issuer", T, "actor.session.issuer"),
    ("session_mfa", "BOOLEAN", "actor.session.is_mfa"),
    ("session_created", "TIMESTAMP WITH TIME ZONE", "actor.session.created_time"),
    ("target_user", T, "user.name"),
    ("target_user_uid", T, "user.uid"),
    ("src_port", "INTEGER", "src_endpoint.port"),
    ("src_domain", T, "src_endpoint.domain"),
    ("src_svc_name", T, "src_endpoint.svc_name"),
    ("src_uid", T, "src_endpoint.uid"),
    ("src_interface", T, "src_endpoint.interface_uid"),
    ("src_instance", T, "src_endpoint.instance_uid"),
    ("src_vpc", T, "src_endpoint.vpc_uid"),
    ("src_subnet", T, "src_endpoint.subnet_uid"),
    ("dst_ip", T, "dst_endpoint.ip"),
    ("dst_port", "INTEGER", "dst_endpoint.port"),
    ("dst_domain", T, "dst_endpoint.domain"),
    ("dst_svc_name", T, "dst_endpoint.svc_name"),
    ("dst_uid", T, "dst_endpoint.uid"),
    ("dst_interface", T, "dst_endpoint.interface_uid"),
    ("dst_instance", T, "dst_endpoint.instance_uid"),
    ("dst_vpc", T, "dst_endpoint.vpc_uid"),
    ("dst_subnet", T, "dst_endpoint.subnet_uid"),
    ("bytes", "BIGINT", "traffic.bytes"),
    ("packets", "BIGINT", "traffic.packets"),
    ("protocol_num", "INTEGER", "connection_info.protocol_num"),
    ("direction_id", "INTEGER", "connection_info.direction_id"),
    ("tcp_flags", "INTEGER", "connection_info.tcp_flags"),
    ("action_id", "INTEGER", "action_id"),
    ("disposition_id", "INTEGER", "disposition_id"),
    ("status_code", T, "status_code"),
    ("event_code", T, "metadata.event_code"),
    ("event_category", T, "metadata.product.feature.name"),
    ("end_time", "TIMESTAMP WITH TIME ZONE", "end_time"),
    ("user_agent", T, "http_request.user_agent"),
    ("http_method", T, "http_request.http_method"),
    ("http_url", T, "http_request.url.url_string"),
    ("http_code", "INTEGER", "http_response.code"),
    ("query_hostname", T, "query.hostname"),
    ("query_type", T, "query.type"),
    ("finding_uid", T, "finding_info.uid"),
    ("finding_title", T, "finding_info.title"),
    ("rule_uid", T, "finding_info.analytic.uid"),
    ("related_event", T, "finding_info.related_event"),
    ("resources", "VARCHAR[]", "resources[].uid"),
    ("entities", "VARCHAR[]", "entities"),
)

BOOKKEEPING = _columns(
    ("batch_id", T, "batch_id"),
    ("object_id", T, "object_id"),
    ("record_no", "INTEGER", "record_no"),
    ("raw_sha256", "BLOB", "raw_sha256"),
    ("map_version", "INTEGER", "map_version"),
    ("ingest_time", "TIMESTAMP WITH TIME ZONE", "ingest_time"),
    ("raw_format", T, "raw_format"),
    ("raw_data", T, "raw_data"),
    ("raw_escaped", "BOOLEAN", "raw_escaped"),  # true: bytes that are no UTF-8 stand in raw_data as \xNN
    ("envelope", T, "envelope"),  # JSON: what the wraps say in which the record came
)

EVENTS = MAPPED + BOOKKEEPING
# Columns whose values are entities themselves; `entities` holds them too, beside what stands in free text.
ENTITY_COLUMNS = (
    "account_uid",
    "src_ip",
    "access_key",
    "user_name",
    "user_uid",
    "user_account",
    "session_issuer",
    "target_user",
    "target_user_uid",
    "src_instance",
    "dst_ip",
    "dst_instance",
)
BY_NAME = {column.name: column for column in EVENTS}
BY_PATH = {column.path: column for column in EVENTS}
# The source of signals, which are rows of the same table.
SIGNAL_SOURCE = "trailkeep_signal"
SORT_ORDER = ("account_uid", "service", "event_name", "time")

# The second table: which data file holds which entity, derived by compaction.
SIGHTINGS = _columns(
    ("entity", T, "entity"),
    ("source", T, "source"),
    ("first_time", "TIMESTAMP WITH TIME ZONE", "first_time"),
    ("last_time", "TIMESTAMP WITH TIME ZONE", "last_time"),
    ("count", "BIGINT", "count"),
    ("file", T, "file"),
)


def native_column(name: str) -> str:
    """The column of a top-level field of the record while a batch is in memory: `$request^Parameters`.

    The mark keeps names apart that differ only in case, which engines do not.
    """
    return "$" + re.sub(r"[A-Z^]", r"^\g<0>", name)


def natives_in(columns: Iterable[str]) -> set[str]:
    """The fields that have such a column among `columns`."""
    return {re.sub(r"\^(.)", r"\1", name[1:]) for name in columns if name.startswith("$")}
