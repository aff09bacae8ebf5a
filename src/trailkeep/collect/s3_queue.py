"""Notifications in an SQS queue in, the objects in S3 that they tell of out; a message is deleted once they are stored.

Sources: Amazon SQS Developer Guide (visibility timeout, long polling, at-least-once delivery).
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from trailkeep.aws import AwsError, described
from trailkeep.collect.collector import AwsCollectorConfig, Context
from trailkeep.collect.feed import Fate
from trailkeep.collect.s3_events import objects_in
from trailkeep.collect.s3_fetch import Fetcher
from trailkeep.core.errors import InputError

_QUIET = 2  # empty answers until a queue is empty: SQS asks only some of its servers at a time


class S3Queue(AwsCollectorConfig):
    """Objects in S3 by notification: from S3 to SQS directly, through SNS, or through EventBridge."""

    type: Literal["s3_queue"]
    queue: str = Field(pattern=r"^https?://", description="URL of the SQS queue")
    bucket_account: str | None = Field(default=None, description="account whose role reads the buckets; as the queue's")
    threads: int = Field(default=4, ge=1, le=64)
    visibility_seconds: int = Field(default=300, ge=2, le=43200, description="renewed for as long as it is needed")
    tries: int = Field(default=5, ge=1, description="how often a message that fails for a lasting reason is tried")
    max_object_mb: int = Field(default=1024, ge=1)

    def run(self, context: Context) -> None:
        """Poll until stopped, with `threads` receivers."""
        queue = _Queue(self, context)
        helper = threading.Thread(target=queue.keep_invisible, name=f"{context.name}-visibility", daemon=True)
        helper.start()
        with ThreadPoolExecutor(self.threads, f"{context.name}-receive") as pool:
            list(pool.map(lambda _: queue.receive(), range(self.threads)))
        queue.finished.set()
        helper.join()


@dataclass(eq=False)
class _Message:
    """A message that was received, and how many of its objects are not settled."""

    receipt: str
    body: str
    tries: int
    sent: float
    left: int = 0
    failed: bool = False
    renewed: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Queue:
    def __init__(self, config: S3Queue, context: Context) -> None:
        self.finished = threading.Event()
        self._config = config
        self._context = context
        self._sqs = context.aws.client("sqs", config.account, config.region)
        self._open: set[_Message] = set()
        self._lock = threading.Lock()
        account = config.bucket_account or config.account
        self._fetcher = Fetcher(
            context,
            lambda wanted: context.aws.client("s3", account, wanted.region),
            config.max_object_mb << 20,
            config.tries,
        )

    def receive(self) -> None:
        """Receive and fetch until stopped, or with `once` until the queue is empty."""
        context, quiet = self._context, 0
        while not context.stop.is_set() and quiet < _QUIET:
            try:
                self._fetcher.again()
                messages = self._poll()
            except AwsError as error:
                if not context.wait(f"{self._config.queue}: {described(error)}"):
                    return
                continue
            context.went_well()
            if not messages:
                context.health.running("the queue is empty: no new objects, or S3 sends no notifications to it")
                quiet = quiet + 1 if context.once and not self._open else 0
                continue
            quiet = 0
            for message in messages:
                try:
                    self._take(message)
                except Exception as error:  # noqa: BLE001 one message must not end a receiver; it comes again
                    self._fail(message, f"a message: {type(error).__name__}: {error}")
        if context.once:
            context.health.done("the queue is empty")

    def _poll(self) -> list[_Message]:
        answer = self._sqs.receive_message(
            QueueUrl=self._config.queue,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1 if self._context.once else 10,
            VisibilityTimeout=self._config.visibility_seconds,
            AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        messages = [
            _Message(
                receipt=each["ReceiptHandle"],
                body=each["Body"],
                tries=int(each["Attributes"]["ApproximateReceiveCount"]),
                sent=int(each["Attributes"]["SentTimestamp"]) / 1000,
            )
            for each in answer.get("Messages", [])
        ]
        with self._lock:
            self._open.update(messages)
        return messages

    def _take(self, message: _Message) -> None:
        """Fetch the objects of a message and hand them over."""
        try:
            wanted = list(dict.fromkeys(objects_in(message.body)))
        except InputError as error:
            self._give_up(message, str(error))
            return
        message.left = len(wanted)
        if not wanted:
            self._delete(message)
        for each in wanted:
            self._fetcher.fetch(each, lambda fate: self._settled(message, fate), message.sent, message.tries)

    def _fail(self, message: _Message, reason: str) -> None:
        """Something that nobody thought of went wrong with a message."""
        self._context.say(f"{self._context.name}: {reason}")
        if message.tries >= self._config.tries:
            self._give_up(message, reason)
        else:
            self._context.health.error(reason)
            self._return(message)

    def _give_up(self, message: _Message, reason: str) -> None:
        self._context.health.error(reason)
        if self._context.give_up(f"sqs:{message.receipt[:40]}", reason, {"body": message.body}):
            self._delete(message)

    def _settled(self, message: _Message, fate: Fate) -> None:
        """One object of a message is stored, set aside, or not to be had now."""
        with message.lock:
            message.left -= 1
            message.failed |= fate == "failed"
            over = message.left == 0
        if over and message.failed:
            self._return(message)
        elif over:
            self._delete(message)

    def _delete(self, message: _Message) -> None:
        with self._lock:
            self._open.discard(message)
        try:
            self._sqs.delete_message(QueueUrl=self._config.queue, ReceiptHandle=message.receipt)
        except AwsError as error:  # it comes again, and is found to be stored
            self._context.health.error(f"a message could not be deleted: {described(error)}")

    def _return(self, message: _Message) -> None:
        """Have a message come again before its time is over, later from time to time."""
        with self._lock:
            self._open.discard(message)
        soon = min(int(self._context.delay * 10 * message.tries), self._config.visibility_seconds)
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._config.queue, ReceiptHandle=message.receipt, VisibilityTimeout=soon
            )
        except AwsError as error:  # then it comes when its time is over
            self._context.health.error(f"a message could not be given back: {described(error)}")

    def keep_invisible(self) -> None:
        """Renew the messages in work before others see them again."""
        limit = self._config.visibility_seconds
        while not self.finished.wait(min(limit / 5, 20)):
            with self._lock:
                due = [each for each in self._open if time.monotonic() - each.renewed > limit / 2]
            for message in due:
                try:
                    self._sqs.change_message_visibility(
                        QueueUrl=self._config.queue, ReceiptHandle=message.receipt, VisibilityTimeout=limit
                    )
                    message.renewed = time.monotonic()
                except AwsError as error:
                    self._context.health.error(f"a message could not be kept: {described(error)}")
