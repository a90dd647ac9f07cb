# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Any message, notarised: signed on a drone, verified by whoever has the roster. Knows no ROS.

What is signed is a Statement about a message: where it belongs, when it was said, its digest.
"""
