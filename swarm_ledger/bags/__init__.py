# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Bags of rosbag2, read and written without ROS: MCAP and SQLite, whole or cut off.

Whoever sends a bag may be hostile. Nothing in it is believed, and nothing in it is executed.
"""
