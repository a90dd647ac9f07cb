# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""PBFT (Castro & Liskov, OSDI 1999 and TOCS 2002), sans-I/O.

Messages and ticks go in, one Ready comes out: what to sign and persist, then what to send, then
what to apply. This package owns no socket, clock, thread, file or random source.
"""
