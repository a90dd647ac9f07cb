// Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0

// Publishes values into a stream of NATS JetStream that three servers keep.
package main

import (
	"github.com/nats-io/nats.go"

	"swarm_ledger/bench/peers/load"
)

const name = "puts"

var stream = nats.StreamConfig{
	Name: name, Subjects: []string{name}, Storage: nats.FileStorage, Replicas: 3,
}

func main() {
	load.Run(func(place string) (load.Put, error) {
		options := []nats.Option{nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1)}
		connection, err := nats.Connect("nats://"+place, options...)
		if err != nil {
			return nil, err
		}
		publisher, err := connection.JetStream()
		made := false
		return func(_ string, value []byte) error {
			if !made { // Each client sees to it; to have it already is no error.
				if _, err := publisher.AddStream(&stream); err != nil {
					return err
				}
				made = true
			}
			_, err := publisher.Publish(name, value)
			return err
		}, err
	})
}
