"""The account of the real samples beside CloudTrail and VPC flow files: what of each folder is read, and what is not.

Records agree with MANIFEST.tsv where a folder is read whole, but for a comment line in one file of alb, which its
counter left out, and the header of tgwflow, which it counted.
"""

from typing import NamedTuple

Count = tuple[int, int]  # files, and records in them


class Account(NamedTuple):
    """Of a folder: source -> how many of its files hold records of it, and how many; the files that are of none."""

    sources: dict[str, Count] = {}  # noqa: RUF012 of a tuple, and never changed
    unknown: int = 0


ACCOUNT = {
    "access_analyzer_api": Account(unknown=5),  # answers of an API
    "alb": Account({"aws_alb_access": (19, 138)}),
    "apigateway": Account({"aws_apigateway_access": (7, 110)}),
    # Logs of web servers, of the audit daemon and of PostgreSQL among those of programs.
    "app": Account({"web_access": (2, 69), "linux_auditd": (2, 40), "aws_rds_postgres": (1, 20)}, unknown=6),
    "clb": Account({"aws_elb_classic": (2, 3)}),
    "cloudfront": Account({"aws_cloudfront": (11, 29_123)}),
    # Calls of AWS Config, and inputs of its rules.
    "config": Account({"aws_config": (13, 15), "aws_cloudtrail": (1, 1)}, unknown=7),
    "delivery_envelope": Account(
        {
            **{"aws_cloudtrail": (1, 4), "aws_cloudwatch_alarm": (2, 2), "aws_cloudwatch_logs": (11, 20)},
            **{"aws_eventbridge": (16, 16), "aws_lambda": (5, 42)},
        },
        unknown=38,
    ),
    "eks_audit": Account({"aws_eks_audit": (26, 31)}),
    "eventbridge": Account({"aws_eventbridge": (4, 4), "aws_health": (1, 1)}),
    "eventbridge_cloudtrail": Account({"aws_cloudtrail": (23, 23)}, unknown=1),  # one lacks its eventTime
    "guardduty": Account({"aws_guardduty": (2, 2)}, unknown=1),  # its fields renamed
    "network_firewall": Account({"aws_network_firewall": (4, 4)}),
    "nlb": Account({"aws_nlb_tls": (2, 3)}),
    "ocsf": Account({"ocsf": (2, 11)}),
    # Slow queries with a NUL byte in them, for which lines have no room.
    "rds": Account({"aws_cloudwatch_logs": (1, 137), "aws_rds_mysql_audit": (1, 23)}),
    "route53_resolver": Account({"aws_route53_resolver": (1, 1)}),
    "s3_access": Account({"aws_s3_access": (4, 9)}, unknown=2),  # a table of alerts, renamed fields
    "securityhub": Account({"aws_securityhub": (45, 45), "aws_eventbridge": (1, 1)}),
    "securityhub_api": Account(unknown=25),  # answers of an API
    "tgwflow": Account({"aws_tgw_flow": (1, 1)}),
    "vpcflow_cloudwatch": Account({"aws_cloudwatch_logs": (1, 2)}),  # its lines are in a format of its own
    "waf": Account({"aws_waf": (5, 233)}),
}
