// Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0

// Package load keeps so many requests under way, one after another for each client, and prints
// one JSON object: seconds, and each request's latency in microseconds. It says "begin" and "end"
// on stderr around what it counts, so that others can look at the servers' clocks then.
package load

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	startUp  = 60 * time.Second
	again    = 50 * time.Millisecond
	patience = 60 * time.Second
)

// Put has a value committed, and returns when it is; key is never given twice.
type Put func(key string, value []byte) error

// Run is the whole of a client program: open connects a client to the server at a place.
func Run(open func(place string) (Put, error)) {
	endpoints := flag.String("endpoints", "", "host:port,host:port,...")
	clients := flag.Int("clients", 1, "requests under way")
	payload := flag.Int("payload", 200, "bytes of a value")
	seconds := flag.Float64("seconds", 5, "how long to count")
	warmUp := flag.Float64("warm-up", 1, "seconds before that, from when each client was served")
	flag.Parse()

	var counting, over atomic.Bool
	var served, wait sync.WaitGroup
	latencies := make([][]int64, *clients)
	places := strings.Split(*endpoints, ",")
	served.Add(*clients)
	wait.Add(*clients)
	for number := 0; number < *clients; number++ {
		go func() {
			defer wait.Done()
			// Each has one server, as each drone has its own.
			put, err := open(places[number%len(places)])
			check(err)
			value := make([]byte, *payload)
			check(first(put, number, value))
			served.Done()
			for round := 0; !over.Load(); round++ {
				rand.Read(value)
				key := fmt.Sprintf("%d/%d", number, round)
				started := time.Now()
				check(put(key, value))
				if counting.Load() && !over.Load() {
					taken := time.Since(started).Microseconds()
					latencies[number] = append(latencies[number], taken)
				}
			}
		}()
	}
	served.Wait()
	time.Sleep(time.Duration(*warmUp * float64(time.Second)))
	fmt.Fprintln(os.Stderr, "begin")
	counting.Store(true)
	time.Sleep(time.Duration(*seconds * float64(time.Second)))
	over.Store(true)
	fmt.Fprintln(os.Stderr, "end")
	time.AfterFunc(patience, func() { check(fmt.Errorf("no answer in %v", patience)) })
	wait.Wait()
	all := []int64{}
	for _, some := range latencies {
		all = append(all, some...)
	}
	found := map[string]any{"seconds": *seconds, "latencies_us": all}
	check(json.NewEncoder(os.Stdout).Encode(found))
}

// first puts until a server that may just be starting has done it once.
func first(put Put, number int, value []byte) error {
	for end, try := time.Now().Add(startUp), 0; ; try++ {
		rand.Read(value)
		err := put(fmt.Sprintf("%d/first/%d", number, try), value)
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(again)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
