"""One file a command, imported when it is called."""

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "train": "train a model on a data set",
    "find": "find a learning rate or a batch size before training",
    "verify": "prove that a killed and resumed training loses nothing",
    "eval": "repeat a run's test numbers from its checkpoint",
    "predict": "classify texts with a trained model",
    "generate": "write poems with a trained model",
    "attribute": "test by deletion which words decide",
    "play": "play Go with a trained model in any program that speaks GTP",
    "match": "play Go against a program or another run, and count who wins",
    "suggest": "show what a trained model would play in a recorded game",
    "runs": "a table of your runs; show, rename, tag and remove them",
    "compare": "what two or more runs differ in, and whether the difference is more than chance",
    "report": "one page of a run, to hand in",
    "board": "open TensorBoard on the runs",
    "sweep": "train many settings and seeds, and go on after any kill",
    "reproduce": "train a run again as it was, and say whether the numbers are the same",
    "list": "every option of every group, and what it is",
    "explain": "one setting: type, default, where it is set, what it does",
    "completion": "print the completion script of a shell",
}

COMPOSED = ("train", "verify")
"""Commands whose words Hydra composes; their help and completion are ours all the same."""

TAKE_OVERRIDES = (*COMPOSED, "sweep", "find")
"""Commands that take the words of a config."""
