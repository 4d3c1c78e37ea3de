"""What a reader of predictions sees: in the terminal, in a browser, as a plot."""
