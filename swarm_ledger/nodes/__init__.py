# Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
"""Thin ROS 2 nodes over the core, the only place that imports rclpy.

A drone's nodes live in one process and in its namespace, /drone_N; what the swarm shares is in
/swarm. Messages are swarm_interfaces'; REP 103 and 105 for units and frames.
"""
