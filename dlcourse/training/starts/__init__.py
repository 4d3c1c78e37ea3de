"""Start values that need data or another run: each is called once before step 0 and may give a line to tell."""
