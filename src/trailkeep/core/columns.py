"""The stored schema: each column of the `events` table, its SQL type and the one OCSF path it holds.

Flat on purpose: Iceberg writers keep min/max for top-level columns only, and pruning lives on them. Order
matters (the first columns get statistics in every engine) and so do the field ids: columns are only added,
at the end of their block with a new id, never renamed, retyped or reused.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A stored column: `path` is its OCSF 1.5.0 path, or its own name where OCSF has no place for it."""

    field_id: int
    name: str
    type: str
    path: str


def _columns(*rows: tuple[int, str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


T = "VARCHAR"

MAPPED = _columns(
    (1, "time", "TIMESTAMP WITH TIME ZONE", "time"),
    (2, "source", T, "source"),
    (3, "account_uid", T, "cloud.account.uid"),
    (4, "region", T, "cloud.region"),
    (5, "service", T, "api.service.name"),
    (6, "event_name", T, "api.operation"),
    (7, "principal", T, "principal"),
    (8, "src_ip", T, "src_endpoint.ip"),
    (9, "access_key", T, "actor.user.credential_uid"),
    (10, "event_uid", T, "metadata.uid"),
    (11, "class_uid", "INTEGER", "class_uid"),
    (12, "activity_id", "INTEGER", "activity_id"),
    (13, "severity_id", "INTEGER", "severity_id"),
    (14, "status_id", "INTEGER", "status_id"),
    (15, "error_code", T, "api.response.error"),
    (16, "error_message", T, "api.response.message"),
    (17, "user_type", T, "actor.user.type"),
    (18, "user_name", T, "actor.user.name"),
    (19, "user_uid", T, "actor.user.uid"),
    (20, "user_uid_alt", T, "actor.user.uid_alt"),
    (21, "user_account", T, "actor.user.account.uid"),
    (22, "invoked_by", T, "actor.invoked_by"),
    (23, "session_issuer", T, "actor.session.issuer"),
    (24, "session_mfa", "BOOLEAN", "actor.session.is_mfa"),
    (25, "session_created", "TIMESTAMP WITH TIME ZONE", "actor.session.created_time"),
    (26, "target_user", T, "user.name"),
    (27, "target_user_uid", T, "user.uid"),
    (28, "src_port", "INTEGER", "src_endpoint.port"),
    (29, "src_domain", T, "src_endpoint.domain"),
    (30, "src_svc_name", T, "src_endpoint.svc_name"),
    (31, "src_uid", T, "src_endpoint.uid"),
    (32, "src_interface", T, "src_endpoint.interface_uid"),
    (33, "src_instance", T, "src_endpoint.instance_uid"),
    (34, "src_vpc", T, "src_endpoint.vpc_uid"),
    (35, "src_subnet", T, "src_endpoint.subnet_uid"),
    (36, "dst_ip", T, "dst_endpoint.ip"),
    (37, "dst_port", "INTEGER", "dst_endpoint.port"),
    (38, "dst_domain", T, "dst_endpoint.domain"),
    (39, "dst_svc_name", T, "dst_endpoint.svc_name"),
    (40, "dst_uid", T, "dst_endpoint.uid"),
    (41, "dst_interface", T, "dst_endpoint.interface_uid"),
    (42, "dst_instance", T, "dst_endpoint.instance_uid"),
    (43, "dst_vpc", T, "dst_endpoint.vpc_uid"),
    (44, "dst_subnet", T, "dst_endpoint.subnet_uid"),
    (45, "bytes", "BIGINT", "traffic.bytes"),
    (46, "packets", "BIGINT", "traffic.packets"),
    (47, "protocol_num", "INTEGER", "connection_info.protocol_num"),
    (48, "direction_id", "INTEGER", "connection_info.direction_id"),
    (49, "tcp_flags", "INTEGER", "connection_info.tcp_flags"),
    (50, "action_id", "INTEGER", "action_id"),
    (51, "disposition_id", "INTEGER", "disposition_id"),
    (52, "status_code", T, "status_code"),
    (53, "event_code", T, "metadata.event_code"),
    (54, "event_category", T, "metadata.product.feature.name"),
    (55, "end_time", "TIMESTAMP WITH TIME ZONE", "end_time"),
    (56, "user_agent", T, "http_request.user_agent"),
    (57, "http_method", T, "http_request.http_method"),
    (58, "http_url", T, "http_request.url.url_string"),
    (59, "http_code", "INTEGER", "http_response.code"),
    (60, "query_hostname", T, "query.hostname"),
    (61, "query_type", T, "query.type"),
    (62, "finding_uid", T, "finding_info.uid"),
    (63, "finding_title", T, "finding_info.title"),
    (64, "rule_uid", T, "finding_info.analytic.uid"),
    (65, "related_event", T, "finding_info.related_event"),
    (66, "resources", "VARCHAR[]", "resources[].uid"),
    (67, "entities", "VARCHAR[]", "entities"),
)

BOOKKEEPING = _columns(
    (80, "batch_id", T, "batch_id"),
    (81, "object_id", T, "object_id"),
    (82, "record_no", "INTEGER", "record_no"),
    (83, "raw_sha256", "BLOB", "raw_sha256"),
    (84, "map_version", "INTEGER", "map_version"),
    (85, "ingest_time", "TIMESTAMP WITH TIME ZONE", "ingest_time"),
    (86, "raw_format", T, "raw_format"),
    (87, "raw_data", T, "raw_data"),
)

EVENTS = MAPPED + BOOKKEEPING
BY_NAME = {column.name: column for column in EVENTS}
BY_PATH = {column.path: column for column in EVENTS}
SORT_ORDER = ("account_uid", "service", "event_name", "time")
