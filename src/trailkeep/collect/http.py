"""Requests over HTTP in (OTLP, Splunk HEC, Firehose, JSON lines), records on disk and an answer out.

A request is answered once its records are on disk. Who it is from is known before its body is read.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import ClassVar, Literal, TypeVar

from pydantic import Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config, Server

from trailkeep.collect.collector import Context
from trailkeep.collect.listening import listen
from trailkeep.collect.push.firehose import Firehose
from trailkeep.collect.push.hec import HEALTHY, UNHEALTHY, AckNumbers, HecAcks, HecEvents, HecRaw
from trailkeep.collect.push.jsonl import JsonLines
from trailkeep.collect.push.otlp import Otlp
from trailkeep.collect.push.receiver import BUSY_SECONDS, ReceiverConfig, follow_files
from trailkeep.collect.push.senders import Refused, Senders, token_of
from trailkeep.collect.push.wire import Answer, Call, Taken, Wire, batch_id, json_answer, unpacked
from trailkeep.collect.spool import Origin, Spool, SpoolFull

_CONNECTIONS = 1000
_BODY_SECONDS = 60
_DRAIN_BYTES = 1 << 20  # of a body that is refused: many clients read no answer before they have sent all
_DRAIN_SECONDS = 5
_ASIDE_BYTES = 64 << 10  # a larger body is read in a thread, so that others are answered meanwhile
_ASIDE_PACKED_BYTES = 4 << 10

_Result = TypeVar("_Result")


class HttpReceiver(ReceiverConfig):
    """Logs pushed over HTTP."""

    receives: ClassVar[bool] = True

    type: Literal["http"]
    listen: str = Field(default="127.0.0.1:8088", description="address and port")
    in_flight_mb: float = Field(default=256, gt=0, description="most megabytes of requests that are read at a time")

    def serve(self, context: Context, senders: Senders, spool: Spool) -> None:
        """Serve in this thread until `context.stop` is set."""
        tls = self.tls.server_context() if self.tls else None
        with listen(self.listen) as listener:
            app = _App(context, senders, spool, int(self.in_flight_mb * 1e6))
            config = Config(
                app.starlette(),
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=10,
            )
            config.load()
            config.ssl = tls
            server = Server(config)

            def end() -> None:
                follow_files(context, self.tls, tls)
                server.should_exit = True

            ending = threading.Thread(target=end, name=f"{context.name}-end", daemon=True)
            ending.start()
            context.went_well()
            context.health.running(f"listening on {self.listen}")
            server.run(sockets=[listener])


class _App:
    """The routes, and what they share."""

    def __init__(self, context: Context, senders: Senders, spool: Spool, most: int) -> None:
        self._context = context
        self._senders = senders
        self._spool = spool
        self._most = most
        self._held = 0  # bytes of the bodies that are being read or written

    def starlette(self) -> Starlette:
        numbers = AckNumbers()
        wires: dict[str, Wire] = {
            "/v1/logs": Otlp(),
            "/services/collector": HecEvents(numbers),
            "/services/collector/event": HecEvents(numbers),
            "/services/collector/event/1.0": HecEvents(numbers),
            "/services/collector/raw": HecRaw(numbers),
            "/services/collector/raw/1.0": HecRaw(numbers),
            "/services/collector/ack": HecAcks(numbers),
            "/services/collector/ack/1.0": HecAcks(numbers),
            "/firehose": Firehose(),
            "/ingest": JsonLines(),
            "/v1/ingest": JsonLines(),
        }
        routes = [Route(path, self._endpoint(wire), methods=["POST"]) for path, wire in wires.items()]
        healths = ("/services/collector/health", "/services/collector/health/1.0")
        routes += [Route(path, self._hec_health, methods=["GET"]) for path in healths]
        routes.append(Route("/healthz", self._health, methods=["GET"]))
        return Starlette(routes=routes, exception_handlers={404: self._unknown, 405: self._unknown})

    def _endpoint(self, wire: Wire) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                answer = await self._take(wire, request)
            except Refused as refused:
                await _drain(request)
                answer = self._refuse(wire, request, refused)
            except ClientDisconnect:
                self._context.health.refuse(f"{_peer(request)} hung up before all of its request had come")
                answer = Answer(400)
            except Exception as error:  # noqa: BLE001 a request that nobody thought of must not go uncounted
                self._context.health.error(f"{wire.protocol} from {_peer(request)}: {type(error).__name__}: {error}")
                answer = json_answer(500, {"error": "the receiver failed"})
            return _response(answer)

        return endpoint

    async def _take(self, wire: Wire, request: Request) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        token = token_of(headers)
        if token is None and wire.protocol == "hec":
            token = request.query_params.get("token")  # only to be told that it belongs into the header
        sender = self._senders.admit(token, wire.protocol)
        with self._holding() as hold:
            body = await _whole_body(request, sender.limit, hold)
            encoding = headers.get("content-encoding", "")
            aside = len(body) > (_ASIDE_PACKED_BYTES if encoding else _ASIDE_BYTES)
            plain = await _run(aside, unpacked, body, encoding, sender.limit)
            if plain is not body:
                hold(len(plain))
            sender.charge(len(plain))
            taken = await _run(aside, wire.read, Call(headers, dict(request.query_params), plain, sender.acks))
            if taken.records:
                batch = batch_id(sender.name, taken.batch or headers.get("idempotency-key"))
                await self._store(taken, Origin(wire.protocol, sender.name), batch)
        return taken.answer

    async def _store(self, taken: Taken, origin: Origin, batch: str | None) -> None:
        try:
            await asyncio.wrap_future(self._spool.append(taken.records, origin, batch))
        except SpoolFull as full:
            raise Refused("busy", str(full), BUSY_SECONDS) from full

    @contextmanager
    def _holding(self) -> Iterator[Callable[[int], None]]:
        """Gives what counts bytes as held in memory until the end, and raises Refused where they are too many."""
        mine = 0

        def hold(size: int) -> None:
            nonlocal mine
            mine += size
            self._held += size
            if self._held > self._most and self._held > mine:  # one alone may be as large as its limit allows
                raise Refused("busy", "too much is being received at a time; come again later", BUSY_SECONDS)

        try:
            yield hold
        finally:
            self._held -= mine

    def _refuse(self, wire: Wire, request: Request, refused: Refused) -> Answer:
        self._context.health.refuse(f"{wire.protocol} from {_peer(request)}: {refused.reason}")
        answer = wire.refuse(refused, request.headers)
        if refused.retry_after is None:
            return answer
        return replace(answer, headers={"Retry-After": str(refused.retry_after)})

    async def _unknown(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        self._context.health.refuse(f"{_peer(request)}: {request.method} {request.url.path[:200]}: {error.detail}")
        return _response(replace(json_answer(error.status_code, {"error": error.detail}), headers=error.headers or {}))

    async def _hec_health(self, request: Request) -> Response:
        return _response(UNHEALTHY if self._spool.full() else HEALTHY)

    async def _health(self, request: Request) -> Response:
        full = self._spool.full()
        return _response(json_answer(503 if full else 200, {"status": "the spool is full" if full else "ok"}))


async def _run(aside: bool, call: Callable[..., _Result], *arguments: object) -> _Result:
    """Call at once, or in a thread."""
    return await asyncio.to_thread(call, *arguments) if aside else call(*arguments)


async def _whole_body(request: Request, limit: int, hold: Callable[[int], None]) -> bytes:
    """The body as it comes. Raises Refused."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise Refused("large", f"the body is larger than {limit:,} bytes")
                hold(len(part))
                parts.append(part)
    except TimeoutError as error:
        raise Refused("slow", f"the body did not come within {_BODY_SECONDS} seconds") from error
    return b"".join(parts)


async def _drain(request: Request) -> None:
    """Read on for a while, so that the sender comes to read the answer."""
    size = 0
    # A body that was read to its end, or whose sender has gone, gives an error.
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > _DRAIN_BYTES:
                    break


def _peer(request: Request) -> str:
    return request.client.host if request.client else "somebody"


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), answer.type)
