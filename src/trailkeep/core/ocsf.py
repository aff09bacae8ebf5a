"""The part of OCSF 1.5.0 that Trailkeep fills: class uid in, the attributes its events may have out."""

from dataclasses import dataclass

VERSION = "1.5.0"

_BASE = frozenset(
    [
        "activity_id",
        "category_uid",
        "class_uid",
        "cloud",
        "end_time",
        "device",
        "end_time_dt",
        "message",
        "metadata",
        "raw_data",
        "severity",
        "severity_id",
        "start_time",
        "start_time_dt",
        "status_code",
        "status_detail",
        "status_id",
        "time",
        "time_dt",
        "type_uid",
        "unmapped",
    ]
)


@dataclass(frozen=True)
class OcsfClass:
    """A class of events: its uid, its name in the schema, and its top-level attributes."""

    uid: int
    name: str
    attributes: frozenset[str]


def _class(uid: int, name: str, *attributes: str) -> OcsfClass:
    return OcsfClass(uid, name, _BASE.union(attributes))


CLASSES = {
    c.uid: c
    for c in (
        _class(0, "base_event", "api", "duration"),
        _class(1001, "file_activity", "actor", "file"),
        _class(1007, "process_activity", "actor", "exit_code", "process"),
        _class(1008, "event_log_actvity", "actor", "log_name", "log_provider", "src_endpoint"),
        _class(2002, "vulnerability_finding", "finding_info", "resources", "vulnerabilities"),
        _class(2003, "compliance_finding", "compliance", "finding_info", "remediation", "resources"),
        _class(2004, "detection_finding", "evidences", "finding_info", "remediation", "resources"),
        _class(3001, "account_change", "actor", "api", "http_request", "policy", "src_endpoint", "user"),
        _class(
            3002,
            "authentication",
            *(
                "actor",
                "api",
                "auth_protocol",
                "auth_protocol_id",
                "dst_endpoint",
                "http_request",
                "is_mfa",
                "is_remote",
            ),
            *("logon_type", "logon_type_id", "service", "session", "src_endpoint", "user"),
        ),
        _class(3006, "group_management", "actor", "group", "src_endpoint", "user"),
        _class(
            4001,
            "network_activity",
            *(
                "action_id",
                "connection_info",
                "disposition_id",
                "dst_endpoint",
                "duration",
                "firewall_rule",
                "is_alert",
            ),
            *("load_balancer", "src_endpoint", "tls", "traffic"),
        ),
        _class(
            4002,
            "http_activity",
            *("action_id", "connection_info", "disposition_id", "dst_endpoint", "duration", "firewall_rule"),
            *("http_request", "http_response", "load_balancer", "policy", "src_endpoint", "tls", "traffic"),
        ),
        _class(
            4003,
            "dns_activity",
            *("action_id", "answers", "connection_info", "disposition_id", "dst_endpoint", "firewall_rule"),
            *("query", "rcode", "rcode_id", "src_endpoint"),
        ),
        _class(
            4009,
            "email_activity",
            *("direction_id", "dst_endpoint", "email", "message_trace_uid", "protocol_name", "src_endpoint"),
        ),
        _class(5023, "cloud_resources_inventory_info", "resources"),
        _class(
            6003,
            "api_activity",
            *("actor", "api", "http_request", "http_response", "resources", "src_endpoint"),
        ),
        _class(
            6005,
            "datastore_activity",
            *("actor", "api", "database", "dst_endpoint", "duration", "query_info", "src_endpoint", "table", "type_id"),
        ),
        _class(6008, "application_error", "api", "duration"),
    )
}

# Attributes whose values the schema lists. Another value stays in the stored column and is left out of the OCSF form.
LISTED = {"http_request.http_method": ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE")}
