"""The command line, as ``bayeslaw`` and ``python -m bayeslaw``."""

import gc
import sys

__all__ = ["main"]

OBJECTS_BETWEEN_COLLECTIONS = 100_000  # imports make many objects, and hardly any garbage


def main() -> None:
    """Run the command line; an interrupt while it is imported is no error."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        from bayeslaw._interrupts import defer_interrupts

        defer_interrupts()
        from bayeslaw import cli

        cli.main()
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)
    finally:
        gc.freeze()  # the last collections, as the process ends, would take half a second


if __name__ == "__main__":
    main()
