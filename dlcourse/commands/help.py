"""`dlcourse train --help` and `verify --help`: the groups with their options, the settings, how it is written."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from dlcourse.commands.arguments import usage
from dlcourse.config.kinds import describe, shown
from dlcourse.config.settings import KNOWN, Known
from dlcourse.config.tree import defaults_of, options, package_folder, read_yaml

HEAD = """\
usage: dlcourse train [GROUP=OPTION ...] [SETTING=VALUE ...] [-m] [--cfg job] [resume=RUN]

examples:
  dlcourse train                                         the defaults, a minute or two
  dlcourse train model=resnet18 data=cifar10 epochs=30
  dlcourse train optimizer=adamw optimizer.lr=0.003      an option's own setting
  dlcourse train -m data=mnist model=lenet5,resnet18     every combination
  dlcourse train kfold=5 model=resnet18 data=digits      cross-validation; takes jobs=2, goes on after any kill
  dlcourse train resume=latest                           go on with the last run
  dlcourse train --cfg job                               show the config, train nothing
"""
TAIL = """\
flags of Hydra (dlcourse train --hydra-help shows all):
  -m, --multirun       run every combination of values such as seed=1,2,3
  --cfg job            print the composed config; with --resolve its interpolations too
  --config-dir FOLDER  look for options in FOLDER too, beside ./configs
  --info defaults      where the config comes from

more: dlcourse list [GROUP], dlcourse explain optimizer.lr
"""


def main(argv: list[str]) -> int:
    """Print the help of the command that `argv` begins with, whatever else was said."""
    print(verify_head() if argv[:1] == ["verify"] else HEAD)
    print("groups (the default first):")
    print("\n".join(groups()))
    print("\nsettings (a data set brings its own epochs and batch size; --cfg job shows what holds):")
    print("\n".join(line for known in KNOWN.values() for line in setting(known)))
    print(f"\n{TAIL}", end="")
    return 0


def verify_head() -> str:
    """What `verify` takes beside what `train` does."""
    from dlcourse.commands.verify import PURPOSE, Arguments

    return usage(Arguments, command="verify", purpose=PURPOSE)


def groups() -> Iterator[str]:
    """One paragraph a group: its options, the default one first."""
    chosen = {group: name for group, name, _ in defaults_of(read_yaml(package_folder() / "train.yaml"))}
    for group, found in options().items():
        if found:
            names = sorted(found, key=lambda name: (name != chosen.get(group), name))
            yield from textwrap.wrap(
                ", ".join(names), width=100, initial_indent=f"  {group:12}", subsequent_indent=" " * 14
            )


def setting(known: Known) -> Iterator[str]:
    """One setting with its default, type and sentence."""
    allowed = known.range.words if known.range else describe(known.annotation)
    name = f"{known.key}={shown(known.default).strip(chr(39))}"
    yield from textwrap.wrap(
        f"{known.doc} ({allowed})", width=110, initial_indent=f"  {name:30} ", subsequent_indent=" " * 33
    )
