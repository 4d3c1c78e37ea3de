"""What run folders say: an index of them, queries, groups over seeds, curves, and whether a difference is chance."""
