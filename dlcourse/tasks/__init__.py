"""Tasks: what is minimised, what is counted, what is shown."""
