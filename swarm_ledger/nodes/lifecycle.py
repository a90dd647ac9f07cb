# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""The lifecycle of our nodes, as ROS 2 tools and lifecycle managers know it.

A node derives from ManagedNode and says what it does in four steps, which may raise
SwarmLedgerError; each of them is told again after the step that undoes it:

    open()      configure: read files, open keys and ledgers, create publishers and services
    start()     activate: take part; create timers and subscriptions
    stop()      deactivate: take part no more
    close()     clean up: give back what open() took; must bear that open() got only half through

What is created on the node in start() (publishers, subscriptions, timers, services, clients) is
destroyed after stop(), and what is created in open() after close(). Parameters are declared in
__init__, from the node's table.

    class ObserverNode(ManagedNode):
        def __init__(self) -> None:
            super().__init__("observer", TABLE)         # declares; Misuse for what is missing

        def open(self) -> None:
            self._store = Store.open(Path(self.given.text("state")))

        def start(self) -> None:
            self.create_timer(1.0, self._on_timer)

        def close(self) -> None:
            self._store.close()

process.run() configures and activates a node whose parameter `autostart` is true; if that fails
the process ends with the reason. Otherwise the transition fails with the reason logged, and can be
tried again. An error that leaves a callback takes the node back to unconfigured, and with
`autostart` ends the process.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from swarm_ledger.errors import Misuse, SwarmLedgerError
from swarm_ledger.nodes.declaring import declare
from swarm_ledger.nodes.parameters import AUTOSTART, Table

_R = TypeVar("_R")

_KINDS = {
    "timers": "destroy_timer",
    "subscriptions": "destroy_subscription",
    "services": "destroy_service",
    "clients": "destroy_client",
    "publishers": "destroy_publisher",
}
"""What a node has, in the order in which it is let go, and how."""


class ManagedNode(LifecycleNode):
    """A node with a lifecycle; see above. trouble: why it could not go on, if it couldn't.

    given: what its table's parameters are; active: whether it takes part.
    """

    def __init__(self, name: str, table: Table, **node_arguments: Any) -> None:
        self.active = False
        self.trouble: SwarmLedgerError | None = None
        self._opened = False
        self._before_open: dict[int, object] = {}
        self._before_start: dict[int, object] = {}
        super().__init__(name, **node_arguments)
        self.given = declare(self, table)

    def open(self) -> None:
        """Take what the node works with; SwarmLedgerError if it can't be had."""

    def start(self) -> None:
        """Begin to take part; SwarmLedgerError if that can't be."""

    def stop(self) -> None:
        """Take part no more."""

    def close(self) -> None:
        """Give back what open() took, however far it came."""

    @property
    def autostart(self) -> bool:
        """Whether it is to be active from the start, without a lifecycle manager."""
        return self.given.flag(AUTOSTART.name)

    def begin(self) -> None:
        """Configure and activate, as autostart has it; raises what is in the way."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()
        if self.trouble is not None:
            raise self.trouble
        if not self.active:
            raise Misuse(f"{self.get_fully_qualified_name()} could not be started: see its log.")

    def end(self) -> None:
        """Deactivate, clean up and shut down, from whatever state it is in."""
        if self.active:
            self.trigger_deactivate()
        if self._opened:
            self.trigger_cleanup()
        if self._state_machine.current_state[1] == "unconfigured":
            self.trigger_shutdown()

    def fail(self, error: SwarmLedgerError) -> None:
        """Stop and clean up because of an error, which is logged."""
        self.trouble = error
        self.get_logger().error(error.explain())
        if self.active:
            self.trigger_deactivate()
        if self._opened:
            self.trigger_cleanup()

    # what rclpy asks

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open; on failure nothing stays open."""
        self.trouble = None
        self._before_open = self._entities()
        self._opened = True
        outcome = self._try(self.open)
        if outcome == TransitionCallbackReturn.SUCCESS:
            return super().on_configure(state)
        if outcome == TransitionCallbackReturn.FAILURE:
            self._shut()
        return outcome

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start; on failure the node is inactive as before."""
        self.trouble = None
        self._before_start = self._entities()
        self.active = True
        outcome = self._try(self.start)
        if outcome == TransitionCallbackReturn.SUCCESS:
            return super().on_activate(state)
        if outcome == TransitionCallbackReturn.FAILURE:
            self._halt()
        return outcome

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop."""
        super().on_deactivate(state)
        return self._try(self._halt)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close."""
        super().on_cleanup(state)
        return self._try(self._shut)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and close, whatever there is of it."""
        super().on_shutdown(state)
        return self._try(self._let_go)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After what nobody expected: let go of everything, and be as new."""
        super().on_error(state)
        return self._try(self._let_go)

    def destroy_node(self) -> None:
        """Let go of everything, then of the node."""
        self._let_go()
        super().destroy_node()

    # what is created here reports its errors to fail()

    def create_timer(self, *given: Any, **named: Any) -> Any:
        """As Node's; an error in the callback makes the node fail, and nothing else."""
        return super().create_timer(*self._guarded(given, 1), **self._named(named))

    def create_subscription(self, *given: Any, **named: Any) -> Any:
        """As Node's; an error in the callback makes the node fail, and nothing else."""
        return super().create_subscription(*self._guarded(given, 2), **self._named(named))

    def create_service(self, *given: Any, **named: Any) -> Any:
        """As Node's; an error in the callback makes the node fail, and nothing else."""
        return super().create_service(*self._guarded(given, 2), **self._named(named))

    def _guarded(self, given: tuple[Any, ...], place: int) -> list[Any]:
        """Return arguments with the callback among them guarded."""
        return [self.guard(one) if i == place else one for i, one in enumerate(given)]

    def _named(self, named: dict[str, Any]) -> dict[str, Any]:
        return {k: self.guard(one) if k == "callback" else one for k, one in named.items()}

    def guard(self, callback: Callable[..., _R]) -> Callable[..., _R | None]:
        """Return a callback whose errors end in fail(), for what is created elsewhere."""

        @wraps(callback)
        def guarded(*given: Any, **named: Any) -> _R | None:
            try:
                return callback(*given, **named)
            except SwarmLedgerError as error:
                self.fail(error)
                return None

        return guarded

    def _try(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except SwarmLedgerError as error:
            self.trouble = error
            self.get_logger().error(error.explain())
            return TransitionCallbackReturn.FAILURE
        except Exception:  # rclpy would swallow it
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _let_go(self) -> None:
        if self.active:
            self._halt()
        if self._opened:
            self._shut()

    def _halt(self) -> None:
        self.active = False
        try:
            self.stop()
        finally:
            self._destroy_since(self._before_start)

    def _shut(self) -> None:
        self._opened = False
        try:
            self.close()
        finally:
            self._destroy_since(self._before_open)

    def _entities(self) -> dict[int, object]:
        return {id(one): one for kind in _KINDS for one in getattr(self, kind)}

    def _destroy_since(self, before: dict[int, object]) -> None:
        """Destroy what was created on the node since then."""
        for kind, destroy in _KINDS.items():
            for one in list(getattr(self, kind)):
                if id(one) not in before:
                    getattr(self, destroy)(one)
