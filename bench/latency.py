"""A folder in, seconds from an object's notification to its alert on disk out, at the default settings of `collect`.

An emulated S3 sends a notification to an emulated queue for each object; each object holds an event that a shipped rule
knows. The clock runs from the moment before the object is put to the moment at which the alert's row is there.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from tests.aws import CREDENTIALS, REGION, aws_server, client

from bench.measure import BenchError
from bench.runs import trailkeep

OBJECTS = 20
_PATIENCE = 60.0
_CONFIG = """
aws_endpoint: {endpoint}
collect:
  trail: {{type: s3_queue, queue: "{queue}", region: {region}}}
"""


def latencies(folder: Path) -> list[float]:
    """Seconds for each of OBJECTS objects, put at random moments."""
    rng = random.Random(1)
    folder.mkdir(parents=True)
    with aws_server() as endpoint:
        s3, sqs = client(endpoint, "s3"), client(endpoint, "sqs")
        s3.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": REGION})
        queue = sqs.create_queue(QueueName="new")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
        s3.put_bucket_notification_configuration(Bucket="logs", NotificationConfiguration=told)
        config, home = folder / "trailkeep.yaml", folder / "lake"
        config.write_text(_CONFIG.format(endpoint=endpoint, queue=queue, region=REGION))
        command = trailkeep("collect", "--config", config, "--home", home)
        service = subprocess.Popen(command, env={**os.environ, **CREDENTIALS}, stderr=subprocess.DEVNULL)
        try:
            found = [_one(s3, home, number, rng) for number in range(OBJECTS)]
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(60)
    return found[1:]  # the first has the start of the service in it


def _one(s3: object, home: Path, number: int, rng: random.Random) -> float:
    time.sleep(rng.uniform(0, 2))
    uid = f"7d000000-0000-4000-8000-{number:012}"
    begun = time.monotonic()
    s3.put_object(Bucket="logs", Key=f"AWSLogs/{number}.json", Body=json.dumps({"Records": [_event(uid)]}))  # type: ignore[attr-defined]
    while time.monotonic() - begun < _PATIENCE:
        if _alerted(home, uid):
            return time.monotonic() - begun
        time.sleep(0.02)
    raise BenchError(f"no alert about an object within {_PATIENCE} seconds")


def _alerted(home: Path, uid: str) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{home}/state.db?mode=ro", uri=True)) as state:
            return bool(state.execute("SELECT 1 FROM alert_events WHERE event_uid = ?", (uid,)).fetchone())
    except sqlite3.OperationalError:  # it is being made
        return False


def _event(uid: str) -> dict[str, object]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mara", "accountId": "111122223333"},
        "eventTime": moment,
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "StopLogging",
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.23",
        "requestParameters": {"name": "main"},
        "responseElements": None,
        "eventID": uid,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }
