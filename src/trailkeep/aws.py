"""Accounts of the configuration in, AWS clients out, and what their errors mean; boto3 is spoken to here only."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError
from pydantic import BaseModel, ConfigDict, Field

from trailkeep.core.errors import UsageError
from trailkeep.core.secret import Secret

AwsError = (BotoCoreError, ClientError, HTTPClientError, ResponseParserError)
"""What a call of a client raises."""

_GONE = {"NoSuchKey", "404", "NoSuchVersion", "NotFound"}
_CREDENTIALS = {
    *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException"),
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure", "TokenRefreshRequired"),
}
_LASTING = {
    *("AccessDenied", "AccessDeniedException", "InvalidObjectState", "NoSuchBucket", "ResourceNotFoundException"),
    *("ValidationException", "InvalidParameterException", "InvalidRequest", "KMS.DisabledException"),
    *("ValidationError", "InvalidParameterValue", "InvalidParameterCombination", "InvalidArgumentException"),
    *("InvalidAccessException", "InvalidInputException", "BadRequestException", "InvalidTimeRangeException"),
    *("OptInRequired", "SubscriptionRequiredException", "UnauthorizedOperation", "DataUnavailableException"),
}


class AwsAccount(BaseModel):
    """How to read in an account: a role to assume there, with the external id that it asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = Field(pattern=r"^arn:aws[\w-]*:iam::\d{12}:role/.+", description="ARN of the role to assume")
    external_id: Secret | None = None
    session_name: str = Field(default="trailkeep", pattern=r"^[\w+=,.@-]{2,64}$")


class Aws:
    """Clients of AWS services by account and region, each made once; threads share them."""

    def __init__(self, accounts: Mapping[str, AwsAccount], endpoint: str | None = None) -> None:
        self._accounts = accounts
        self._endpoint = endpoint
        self._sessions: dict[str | None, boto3.Session] = {}
        self._clients: dict[tuple[str, str | None, str | None], Any] = {}
        self._lock = threading.RLock()  # a session may need a secret, and so a client

    def client(self, service: str, account: str | None = None, region: str | None = None) -> Any:
        """A client of `service`; `account` is a name in `accounts:`, or None for the credentials at hand."""
        where = (service, account, region)
        with self._lock:
            if where not in self._clients:
                session = self._session(account)
                self._clients[where] = session.client(
                    service,
                    region_name=region or session.region_name or "us-east-1",
                    endpoint_url=self._endpoint,
                    config=self._config,
                )
            return self._clients[where]

    def secret(self, name: str) -> str:
        """A secret in AWS Secrets Manager. Raises UsageError where it cannot be had."""
        try:
            found = self.client("secretsmanager").get_secret_value(SecretId=name)
        except AwsError as error:
            raise UsageError(f"the secret {name} of AWS Secrets Manager: {described(error)}") from error
        return str(found["SecretString"])

    @cached_property
    def _config(self) -> Config:
        return Config(
            retries={"mode": "standard", "max_attempts": 5},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
            user_agent_extra="trailkeep",
        )

    def _session(self, account: str | None) -> boto3.Session:
        if account not in self._sessions:
            self._sessions[account] = boto3.Session() if account is None else self._assumed(self._accounts[account])
        return self._sessions[account]

    def _assumed(self, account: AwsAccount) -> boto3.Session:
        """A session of the role, whose credentials are fetched when they are needed and again before they expire."""
        base = boto3.Session()
        if base.get_credentials() is None:
            raise NoCredentialsError
        extra = {"RoleSessionName": account.session_name}
        if account.external_id:
            extra["ExternalId"] = account.external_id.read(self.secret)
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._sts_creator(base),
            source_credentials=base.get_credentials(),
            role_arn=account.role,
            extra_args=extra,
        )
        session = botocore.session.get_session()
        session._credentials = DeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method="assume-role"
        )
        return boto3.Session(botocore_session=session, region_name=base.region_name)

    def _sts_creator(self, base: boto3.Session) -> Any:
        def create(service: str, **kwargs: Any) -> Any:
            kwargs.setdefault("region_name", base.region_name or "us-east-1")
            return base.client(service, endpoint_url=self._endpoint, config=self._config, **kwargs)

        return create


@contextmanager
def body_of(client: Any) -> Iterator[Callable[[], bytes]]:
    """What gives the body of the last answer to `client`, within; it must be used by this thread alone."""
    last = {"body": b""}

    def keep(response_dict: Mapping[str, Any], **_: Any) -> None:
        last["body"] = response_dict["body"]

    client.meta.events.register("before-parse", keep)
    try:
        yield lambda: last["body"]
    finally:
        client.meta.events.unregister("before-parse", keep)


def code_of(error: Exception) -> str:
    """AWS's code of an error, or the name of ours."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")) or type(error).__name__
    return type(error).__name__


def described(error: Exception) -> str:
    """An error in one line: AWS's code and message."""
    if isinstance(error, ClientError):
        return f"{code_of(error)}: {error.response.get('Error', {}).get('Message', '')}".rstrip(": ")
    return f"{type(error).__name__}: {error}"


def is_gone(error: Exception) -> bool:
    """Whether the object is not there (any more)."""
    return code_of(error) in _GONE


def is_about_credentials(error: Exception) -> bool:
    """Whether we are not who we say: nothing can be fetched until somebody mends that."""
    kinds = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError)
    return isinstance(error, kinds) or code_of(error) in _CREDENTIALS


def is_lasting(error: Exception) -> bool:
    """Whether the same call would fail again, whoever is asked and however often."""
    return code_of(error) in _LASTING or is_gone(error)


BROKEN_READ = (IncompleteReadError, ResponseStreamingError, HTTPClientError, ConnectionError, TimeoutError)
"""What reading a body raises when the connection breaks; asking again helps."""
