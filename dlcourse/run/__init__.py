"""A run: its parts put together, its events driven into observers, its folder."""
