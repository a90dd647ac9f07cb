module swarm_ledger/bench/peers/load

go 1.22
