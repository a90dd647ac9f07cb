# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""A network of TCP links on the loopback that can be cut: real sockets closed, new ones refused.

Each drone binds an address of its own and reaches each peer by a relay that belongs to this link
alone. Cutting a link closes the relay's connections and its listening socket; healing it listens
on the same port again.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Collection, Coroutine, Iterable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

_HOST = "127.0.0.1"
_CHUNK = 1 << 16
_PATIENCE_S = 10.0


def _bound(port: int = 0) -> socket.socket:
    """Return a socket that holds a port, whoever else with SO_REUSEADDR binds or listens on it."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((_HOST, port))
    return held


class _Relay:
    """One direction of a link: carries bytes from a port to another while it is open."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, sock=_bound(self.port))

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self._ends:
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection(_HOST, self._target)
            self._ends.add(far)
            if self._server is None:  # cut while we connected
                return
            ways = [
                asyncio.create_task(_pump(*way)) for way in ((reader, far), (far_reader, writer))
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            return  # nobody is there: the caller finds its connection closed
        finally:
            for end in (writer, far):
                if end is not None:
                    self._ends.discard(end)
                    end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


class Links:
    """All links among some drones, whole at first. Use it as a context manager.

    The ports of drones and relays are held as long as this lives, so that nobody else gets one
    while its drone is dead or its link is cut.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = list(names)
        self._held = ExitStack()
        self._homes = {name: self._hold() for name in self._names}
        self._relays = {
            (near, far): _Relay(self._hold(), self._homes[far])
            for near in self._names
            for far in self._names
            if near != far
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.heal()

    def _hold(self) -> int:
        held = self._held.enter_context(_bound())
        port: int = held.getsockname()[1]
        return port

    def endpoints(self, name: str) -> dict[str, str]:
        """Return the ZeroMQ addresses for one drone: its own, and its own way to each peer."""
        ports = {peer: self._relays[name, peer].port for peer in self._names if peer != name}
        ports[name] = self._homes[name]
        return {peer: f"tcp://{_HOST}:{port}" for peer, port in ports.items()}

    def cut(self, *groups: Iterable[str]) -> None:
        """Leave only the links within each group; whoever is in none has no link left."""
        listed = [frozenset(group) for group in groups]
        self._set({way for way in self._relays if any(group.issuperset(way) for group in listed)})

    def heal(self) -> None:
        """Open all links."""
        self._set(set(self._relays))

    def _set(self, whole: set[tuple[str, str]]) -> None:
        async def each() -> None:
            for way, relay in self._relays.items():
                await (relay.open() if way in whole else relay.close())

        self._call(each())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    def close(self) -> None:
        """Cut everything, and give the ports back."""
        if not self._loop.is_closed():
            self._call(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE_S)
            self._loop.close()
        self._held.close()

    async def _end(self) -> None:
        for relay in self._relays.values():
            await relay.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def __enter__(self) -> Links:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
