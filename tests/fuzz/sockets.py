# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Targets behind a socket: frames of ZeroMQ."""

from __future__ import annotations

import atexit
import socket
from contextlib import suppress
from functools import cache
from typing import Any

import cbor2
import zmq

from swarm_ledger.envelope import MAX_ENVELOPE_BYTES
from swarm_ledger.identity.channel import ChannelKeys
from swarm_ledger.sim.ports import free_ports
from swarm_ledger.transport.budget import Inbox, Limits
from swarm_ledger.transport.curve import Curve
from swarm_ledger.transport.zmq import ZmqTransport
from tests.fuzz.mutation import of_bytes, of_cbor
from tests.fuzz.target import Target

_ALIVE = b"still there?"
_PATIENCE = 40


@cache
def _ends() -> tuple[ZmqTransport, Any, int]:
    """One drone's socket, a stranger connected to it, and its port."""
    (port,) = free_ports(1)
    inbox = ZmqTransport(0, {0: f"tcp://127.0.0.1:{port}"})
    inbox.inbox = Inbox(Limits(count=1 << 30))  # one stranger sends as fast as it can be fuzzed
    context = zmq.Context()
    stranger = context.socket(zmq.DEALER)
    stranger.connect(f"tcp://127.0.0.1:{port}")
    atexit.register(inbox.close)
    atexit.register(context.destroy, 0)
    return inbox, stranger, port


def _zmq(data: bytes) -> None:
    """Frames, or bytes in place of ZeroMQ's own; what is honest gets through all the same."""
    inbox, stranger, port = _ends()
    try:
        raw, frames = cbor2.loads(data)
        whole = [bytes(frame)[: 1 << 16] for frame in frames[:300]]
    except Exception:
        raw, whole = True, [data]
    if raw:
        with socket.create_connection(("127.0.0.1", port)) as junk, suppress(ConnectionError):
            junk.sendall(b"".join(whole))
    elif whole:
        stranger.send_multipart(whole)
    stranger.send(_ALIVE)
    for _ in range(_PATIENCE):
        heard = inbox.receive(250)
        assert all(type(one) is bytes and len(one) <= MAX_ENVELOPE_BYTES + 1024 for one in heard)
        if _ALIVE in heard:
            return
    raise AssertionError("what an honest peer sent does not arrive any more.")


@cache
def _encrypted_ends() -> tuple[ZmqTransport, ZmqTransport, int]:
    """The same with CURVE: a drone, a member that may connect, and the drone's port."""
    ports = free_ports(2)
    where = {index: f"tcp://127.0.0.1:{port}" for index, port in enumerate(ports)}
    keys = [ChannelKeys(bytes([index]) * 32) for index in (1, 2)]
    peers = {index: frozenset({one.curve}) for index, one in enumerate(keys)}
    admitted = frozenset(one.curve for one in keys)
    inbox, member = (ZmqTransport(i, where, Curve(keys[i], peers, admitted)) for i in (0, 1))
    atexit.register(inbox.close)
    atexit.register(member.close)
    return inbox, member, ports[0]


def _curve(data: bytes) -> None:
    """Bytes of a stranger at an encrypted port: none comes in, and a member is heard."""
    inbox, member, port = _encrypted_ends()
    with socket.create_connection(("127.0.0.1", port)) as junk, suppress(ConnectionError):
        junk.sendall(data[: 1 << 16])
    for _ in range(_PATIENCE):
        member.receive(0)
        member.send(0, _ALIVE)
        heard = inbox.receive(250)
        inbox.strangers()
        assert set(heard) <= {_ALIVE}
        if heard:
            return
    raise AssertionError("what a member sent does not arrive any more.")


SOCKETS = (
    Target("zmq", _zmq, of_cbor, (), cost=20),
    Target("curve", _curve, of_bytes, (), cost=20),
)
