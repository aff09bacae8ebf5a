"""The account of the real samples beside CloudTrail and VPC flow files: what of each folder is read, and what is not.

Records agree with MANIFEST.tsv where a folder is read whole, but for a comment line in one file of alb, which its
counter left out, and the header of tgwflow, which it counted.
"""

from typing import NamedTuple


class Account(NamedTuple):
    """Of a folder: the source of its files, how many are of it, their records, and the files that are of none."""

    source: str | None = None
    files: int = 0
    records: int = 0
    unknown: int = 0


ACCOUNT = {
    "access_analyzer_api": Account(unknown=5),  # answers of an API
    "alb": Account("aws_alb_access", 19, 138),
    "apigateway": Account(unknown=7),
    "app": Account("web_access", 2, 69, unknown=9),  # logs of web servers among those of programs
    "clb": Account("aws_elb_classic", 2, 3),
    "cloudfront": Account("aws_cloudfront", 11, 29_123),
    "config": Account("aws_config", 13, 15, unknown=8),  # inputs of Config rules, and a CloudTrail event
    "delivery_envelope": Account(unknown=71),
    "eks_audit": Account("aws_eks_audit", 26, 31),
    "eventbridge": Account(unknown=5),
    "eventbridge_cloudtrail": Account("aws_cloudtrail", 13, 13, unknown=11),  # the detail without its envelope; with it
    "guardduty": Account(unknown=3),  # two in an envelope of EventBridge, one with its fields renamed
    "network_firewall": Account("aws_network_firewall", 4, 4),
    "nlb": Account("aws_nlb_tls", 2, 3),
    "ocsf": Account(unknown=2),
    "rds": Account(unknown=1),
    "route53_resolver": Account("aws_route53_resolver", 1, 1),
    "s3_access": Account("aws_s3_access", 4, 9, unknown=2),  # a table of alerts, renamed fields
    "securityhub": Account("aws_securityhub", 40, 40, unknown=6),  # six in an envelope of EventBridge
    "securityhub_api": Account(unknown=25),  # answers of an API
    "tgwflow": Account("aws_tgw_flow", 1, 1),
    "vpcflow_cloudwatch": Account(unknown=1),
    "waf": Account("aws_waf", 5, 233),
}
