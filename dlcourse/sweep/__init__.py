"""Many runs by one command: which trials, in which order, and a journal that survives any kill."""
