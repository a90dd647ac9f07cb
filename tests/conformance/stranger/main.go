// Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0

// Reads a tiled log with libraries that others wrote, and believes nothing that they don't.
//
//	stranger POLICY URL|DIR
//
// The checkpoint must satisfy the policy (C2SP tlog-policy), and each entry must be in the tree
// that it vouches for, by the tiles of hashes. Prints size and root, then each entry in base64.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

type log interface {
	torchwood.TileReader
	ReadEndpoint(ctx context.Context, path string) ([]byte, error)
}

// verify tries the policy's logs one by one: any of them will do, but torchwood 0.9 wants them all.
func verify(note []byte, policy string) (checkpoint torchwood.Checkpoint, err error) {
	var logs, others []string
	for _, line := range strings.Split(policy, "\n") {
		if strings.HasPrefix(line, "log ") {
			logs = append(logs, line)
		} else {
			others = append(others, line)
		}
	}
	err = fmt.Errorf("the policy has no log")
	for _, line := range logs {
		var one torchwood.Policy
		one, err = torchwood.ParsePolicy([]byte(line + "\n" + strings.Join(others, "\n")))
		if err != nil {
			return
		}
		if checkpoint, _, err = torchwood.VerifyCheckpoint(note, one); err == nil {
			return
		}
	}
	return
}

func read(policyFile, place string) error {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	var tiles log
	if strings.HasPrefix(place, "http") {
		tiles, err = torchwood.NewTileFetcher(place)
	} else {
		tiles, err = torchwood.NewTileFS(os.DirFS(place))
	}
	if err != nil {
		return err
	}
	ctx := context.Background()
	note, err := tiles.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	checkpoint, err := verify(note, string(text))
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, checkpoint.N, checkpoint.Hash)
	seen := int64(0)
	for index, entry := range client.AllEntries(ctx, checkpoint.Tree, 0) {
		if index != seen {
			return fmt.Errorf("entry %d came in the place of %d", index, seen)
		}
		fmt.Fprintln(out, base64.StdEncoding.EncodeToString(entry))
		seen++
	}
	if err := client.Err(); err != nil {
		return err
	}
	if seen != checkpoint.N {
		return fmt.Errorf("%d entries, not %d", seen, checkpoint.N)
	}
	hashes := torchwood.TileHashReaderWithContext(ctx, checkpoint.Tree, tiles)
	_, err = tlog.ProveRecord(checkpoint.N, checkpoint.N-1, hashes)
	return err
}

func main() {
	if err := read(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
