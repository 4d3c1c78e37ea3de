"""`python -m dlcourse` is the command line."""

import sys

from dlcourse.cli import main

if __name__ == "__main__":
    sys.exit(main())
