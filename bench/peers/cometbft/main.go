// Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0

// Puts values into CometBFT's kvstore, over HTTP; each is answered when its block is applied.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"swarm_ledger/bench/peers/load"
)

// Values may have neither "=" nor ":", which end a key.
const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

type request struct {
	Version string            `json:"jsonrpc"`
	ID      int               `json:"id"`
	Method  string            `json:"method"`
	Params  map[string][]byte `json:"params"`
}

type outcome struct {
	Code int    `json:"code"`
	Log  string `json:"log"`
}

type answer struct {
	Error *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error"`
	Result struct {
		Checked outcome `json:"check_tx"`
		Applied outcome `json:"tx_result"`
		Height  string  `json:"height"`
	} `json:"result"`
}

func main() {
	load.Run(func(place string) (load.Put, error) {
		// A connection of its own: a server allows each only so many subscriptions.
		client := &http.Client{Transport: &http.Transport{}}
		return func(key string, value []byte) error {
			return put(client, "http://"+place, key, value)
		}, nil
	})
}

func put(client *http.Client, url string, key string, value []byte) error {
	text := append([]byte(key), '=')
	for _, byte := range value {
		text = append(text, letters[int(byte)%len(letters)])
	}
	asked := request{"2.0", 1, "broadcast_tx_commit", map[string][]byte{"tx": text}}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var told answer
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil {
		return fmt.Errorf("HTTP status %d: %w", response.StatusCode, err)
	}
	found := told.Result
	switch {
	case told.Error != nil:
		return fmt.Errorf("%s: %s", told.Error.Message, told.Error.Data)
	case found.Checked.Code != 0 || found.Applied.Code != 0:
		return fmt.Errorf("refused: %s%s", found.Checked.Log, found.Applied.Log)
	case found.Height == "" || found.Height == "0":
		return fmt.Errorf("answered, and in no block")
	}
	return nil
}
