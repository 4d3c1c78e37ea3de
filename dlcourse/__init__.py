"""Deep-learning course experiments as one command-line program."""

__version__ = "0.1.0"
