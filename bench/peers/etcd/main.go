// Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0

// Puts values into etcd.
package main

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"swarm_ledger/bench/peers/load"
)

func main() {
	load.Run(func(place string) (load.Put, error) {
		config := clientv3.Config{Endpoints: []string{place}, DialTimeout: 10 * time.Second}
		client, err := clientv3.New(config)
		if err != nil {
			return nil, err
		}
		return func(key string, value []byte) error {
			_, err := client.Put(context.Background(), key, string(value))
			return err
		}, nil
	})
}
