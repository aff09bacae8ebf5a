"""A company and a day in; lines of its VPC flow logs, resolver, load balancer and bucket access logs out."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from bench.routine.company import OFFICE, PRODUCTION, Company
from trailkeep.demo.world import hexes

_REGION = "us-east-1"
_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
_PROBES = (
    "/.env", "/.git/config", "/wp-login.php", "/phpmyadmin/", "/actuator/env", "/vendor/phpunit/eval-stdin.php",
    "/cgi-bin/luci/;stok=/locale", "/server-status", "/?id=1%27%20OR%20%271%27=%271", "/..%2f..%2fetc/passwd",
)  # fmt: skip
_PORTS_OF_SCANNERS = (22, 23, 80, 443, 445, 1433, 3306, 3389, 5432, 6379, 8080, 8443, 9200, 27017)
_NAMES = ("s3.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com",
          "orders-db.cluster-cabc123def45.us-east-1.rds.amazonaws.com", "api.example.com", "hooks.example.net",
          "packages.example.org", "wheels.example.net", "mirror.example.com",
          "o123.ingest.example.org", "time.aws.com")  # fmt: skip
FLOW_HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)


def flows(company: Company, midnight: int, count: int, rng: Random) -> Iterator[str]:
    """VPC flow records in the default format; a third are what the internet's scanners knock at."""
    for _ in range(count):
        start = midnight + rng.randrange(86_340)
        own = f"10.20.{rng.randrange(1, 6)}.{rng.randrange(10, 250)}"
        interface = f"eni-0{rng.getrandbits(64):016x}"
        high, packets = rng.randrange(32768, 61000), int(rng.paretovariate(0.9)) + 4
        kind = rng.random()
        if kind < 0.33:
            stranger = f"192.0.2.{rng.randrange(1, 255)}"
            ends, action, packets = (stranger, own, high, rng.choice(_PORTS_OF_SCANNERS)), "REJECT", 1
        elif kind < 0.6:
            ends, action = (own, f"198.51.100.{rng.randrange(1, 255)}", high, 443), "ACCEPT"
        else:
            peer = f"10.20.{rng.randrange(1, 6)}.{rng.randrange(10, 250)}"
            ends, action = (own, peer, high, rng.choice((443, 5432, 6379, 8080, 53, 2049))), "ACCEPT"
        between = " ".join(map(str, ends))
        size = f"6 {packets} {packets * rng.randrange(60, 900)} {start} {start + 59}"
        yield f"2 {PRODUCTION} {interface} {between} {size} {action} OK"


def queries(company: Company, midnight: int, count: int, rng: Random) -> Iterator[str]:
    """Records of the Route 53 resolver."""
    for _ in range(count):
        when = datetime.fromtimestamp(midnight + rng.randrange(86_400), UTC)
        name = rng.choice(_NAMES)
        record = {
            "version": "1.1", "account_id": PRODUCTION, "region": _REGION,
            "vpc_id": company.pools[PRODUCTION]["vpc"][0],
            "query_timestamp": f"{when:%Y-%m-%dT%H:%M:%SZ}", "query_name": f"{name}.", "query_type": "A",
            "query_class": "IN", "rcode": "NOERROR",
            "answers": [{"Rdata": f"198.51.100.{rng.randrange(255)}", "Type": "A", "Class": "IN"}],
            "srcaddr": f"10.20.1.{rng.randrange(10, 250)}", "srcport": str(rng.randrange(32768, 61000)),
            "transport": "UDP", "srcids": {"instance": rng.choice(company.pools[PRODUCTION]["instance"])},
        }  # fmt: skip
        yield json.dumps(record, separators=(",", ":"))


def web_requests(company: Company, midnight: int, count: int, rng: Random) -> Iterator[str]:
    """Lines of an Application Load Balancer: visitors, and the probes that every public address gets (404 or 403)."""
    for _ in range(count):
        when = datetime.fromtimestamp(midnight + rng.randrange(86_400), UTC)
        probe = rng.random() < 0.03
        path = (
            rng.choice(_PROBES)
            if probe
            else rng.choice(("/", "/cart", "/api/orders/17", "/static/app.js", "/search?q=lamp"))
        )
        status = rng.choice((404, 404, 403)) if probe else rng.choices((200, 304, 302, 404, 500), (90, 5, 3, 1, 1))[0]
        client = f"192.0.2.{rng.randrange(1, 255)}:{rng.randrange(32768, 61000)}"
        target = f"10.20.3.{rng.randrange(10, 60)}:8080"
        group = f"arn:aws:elasticloadbalancing:{_REGION}:{PRODUCTION}:targetgroup/web/0123456789abcdef"
        yield (
            f"https {when:%Y-%m-%dT%H:%M:%S.%fZ} app/web/50dc6c495c0c9188 {client} {target} 0.000 0.017 0.000 {status}"
            f' {status} 312 {rng.randrange(200, 90_000)} "GET https://www.example.com:443{path} HTTP/1.1" "{_AGENT}"'
            f' ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {group} "Root=1-{hexes(rng, 8)}-{hexes(rng, 24)}"'
            f' "www.example.com" "arn:aws:acm:{_REGION}:{PRODUCTION}:certificate/0a1b" 0 {when:%Y-%m-%dT%H:%M:%S.%fZ}'
            f' "forward" "-" "-" "{target}" "{status}" "-" "-" TID_{hexes(rng, 32)}'
        )


def bucket_reads(company: Company, midnight: int, count: int, rng: Random) -> Iterator[str]:
    """Lines of S3 server access logs."""
    pools = company.pools[PRODUCTION]
    for _ in range(count):
        when = datetime.fromtimestamp(midnight + rng.randrange(86_400), UTC)
        bucket, role = rng.choice(pools["bucket"]), f"{rng.choice(pools['workload'])}-task"
        key, size = f"exports/part-{rng.randrange(99999):05d}.parquet", rng.randrange(400, 900_000)
        who = f"arn:aws:sts::{PRODUCTION}:assumed-role/{role}/{hexes(rng, 8)}"
        address = rng.choice((OFFICE, f"10.20.1.{rng.randrange(10, 250)}"))
        yield (
            f"{hexes(rng, 64)} {bucket} [{when:%d/%b/%Y:%H:%M:%S +0000}] {address} {who} {hexes(rng, 16).upper()}"
            f' REST.GET.OBJECT {key} "GET /{key} HTTP/1.1" 200 - {size} {size} 25 12 "-" "aws-sdk-java/2.33.9" -'
            f" {hexes(rng, 76)} SigV4 TLS_AES_128_GCM_SHA256 AuthHeader {bucket}.s3.{_REGION}.amazonaws.com TLSv1.3 - -"
        )
