# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""One question to a server that nobody trusts, over HTTP or ZeroMQ: bounded in bytes and time.

A server may hang, drip, flood, redirect, or be none at all: what comes back is an answer's bytes,
or NotVerified that says what it did instead.
"""

from __future__ import annotations

import base64
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult, urlsplit

from swarm_ledger.errors import Misuse, NotVerified, PeerFault
from swarm_ledger.light_client.messages import MAX_ANSWER_BYTES
from swarm_ledger.transport import zmtp

PATIENCE_S = 30.0
"""How long one question may take, from connecting to the answer's last byte."""

LIGHT = "light/"
"""Behind the server's URL, before the request in base64url without padding."""

_HTTP_PORT = 80


def carrier(source: str, patience_s: float = PATIENCE_S) -> Callable[[bytes], bytes]:
    """Return what brings requests to http://HOST[:PORT][/PREFIX/] or tcp://HOST:PORT.

    Raises Misuse for any other address; what it returns raises NotVerified.
    """
    try:
        parts = urlsplit(source)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _unusable(source, str(error)) from error
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise _unusable(source, "it has no host, or more than host, port and path")
    if not source.isascii() or any(letter <= " " for letter in source):
        raise _unusable(source, "it has characters that no address has")
    if parts.scheme == "http":
        return lambda request: _over_http(source, parts, request, patience_s)
    if parts.scheme == "tcp" and port and not parts.path:
        return lambda request: _over_zmq(source, (host, port), request, patience_s)
    raise _unusable(source, "it is neither http://HOST:PORT/ nor tcp://HOST:PORT")


def _unusable(source: str, why: str) -> Misuse:
    remedy = "Name what `ledger serve` says that it serves."
    return Misuse(f"cannot ask {source[:100]!r}: {why}.", remedy=remedy)


def _over_http(source: str, parts: SplitResult, request: bytes, patience_s: float) -> bytes:
    coded = base64.urlsafe_b64encode(request).decode().rstrip("=")
    name = f"{parts.path.rstrip('/')}/{LIGHT}{coded}"
    connection = http.client.HTTPConnection(
        str(parts.hostname), parts.port or _HTTP_PORT, timeout=patience_s
    )
    with _limited(source, patience_s) as watch:
        try:
            connection.connect()
            watch(connection.sock)
            connection.request("GET", name)
            with connection.getresponse() as response:
                if response.status != http.client.OK:
                    raise NotVerified(_status(response.status), where=source)
                data = response.read(MAX_ANSWER_BYTES + 1)
        finally:
            connection.close()
    if len(data) > MAX_ANSWER_BYTES:
        raise NotVerified(f"it answers with more than {MAX_ANSWER_BYTES} bytes", where=source)
    return data


def _status(status: int) -> str:
    told = {404: "it serves no light clients there", 503: "it is busy"}
    if 300 <= status < 400:
        return f"it sends us elsewhere (HTTP {status}), and nobody is followed there"
    return f"{told.get(status, 'it refuses')} (HTTP {status})"


def _over_zmq(source: str, address: tuple[str, int], request: bytes, patience_s: float) -> bytes:
    with (
        _limited(source, patience_s) as watch,
        socket.create_connection(address, timeout=patience_s) as connection,
        connection.makefile("rwb") as stream,
    ):
        watch(connection)
        zmtp.shake_hands(stream, zmtp.REQ)
        zmtp.send(stream, request, delimited=True)
        return zmtp.receive(stream, MAX_ANSWER_BYTES).data


@contextmanager
def _limited(source: str, patience_s: float) -> Iterator[Callable[[socket.socket], None]]:
    """Cut a connection once time is up, whatever it is doing, and make its faults plain."""
    late, too_late = threading.Event(), f"no whole answer within {patience_s:g} s"
    timers: list[threading.Timer] = []

    def watch(connection: socket.socket) -> None:
        def cut() -> None:
            late.set()
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

        timers.append(threading.Timer(patience_s, cut))
        timers[-1].daemon = True
        timers[-1].start()

    try:
        yield watch
        if late.is_set():  # cut in the midst, it looks like the end to some
            raise NotVerified(too_late, where=source)
    except (OSError, http.client.HTTPException, PeerFault, UnicodeError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            what = too_late
        elif isinstance(error, PeerFault):
            what = error.what
        else:
            what = f"no answer ({error or type(error).__name__})"
        raise NotVerified(what, where=source) from error
    finally:
        for timer in timers:
            timer.cancel()
