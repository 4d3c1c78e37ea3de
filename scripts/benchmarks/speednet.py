"""The speed run for two CPU cores, step by step: what each of its savings gives, on CIFAR-10-shaped images."""

from __future__ import annotations

from functools import partial

from benchmarks import own_path
from benchmarks.table import GAIN, Row, interleaved

FROZEN = "freeze=[whiten.bias@1st]"
"""So that the steps that are timed are those of the experiment's last epochs."""
PEERS = {
    "torch's kernels": (FROZEN, "runtime.kernels=torch"),
    "odd maps as they are": (FROZEN, "model.even_maps=false"),
    "a trained bias behind the whitening": ("freeze=[]",),
    "both": ("freeze=[]", "model.even_maps=false"),
    "batches of 1,000": (FROZEN, "batch_size=1000"),
}
"""What is left out of `experiment=cifar10_cpu`, and the words that leave it out."""


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """The experiment against itself without each saving, all threads, images a second by the wall clock."""
    small = ("batch_size=16",) if quick else ()
    with own_path.noise_files() as root:
        taken = interleaved(
            {
                name: partial(
                    own_path.samples_per_second,
                    root,
                    model="speednet",
                    overrides=(
                        "experiment=cifar10_cpu",
                        "data.sizes=[]",
                        "runtime.device=cpu",
                        "log_every=1",
                        *words,
                        *small,
                    ),
                    # A process takes its memory in the first steps; later ones of the same shapes reuse it.
                    warm=1 if quick else 3,
                    steps=1 if quick else 6,
                )
                for name, words in {"ours": (FROZEN,), **PEERS}.items()
            },
            repetitions=repetitions,
        )
    return [Row(f"speed run, peer: {name}", "images/s", taken["ours"], taken[name], GAIN) for name in PEERS]
