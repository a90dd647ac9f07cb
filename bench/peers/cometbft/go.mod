module swarm_ledger/bench/peers/cometbft

go 1.22

require swarm_ledger/bench/peers/load v0.0.0

replace swarm_ledger/bench/peers/load => ../load
