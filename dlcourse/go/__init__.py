"""The game of Go: rules, records, players and the protocol that programs speak; no torch."""
