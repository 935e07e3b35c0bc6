"""The command line, as ``bayeslaw`` and ``python -m bayeslaw``."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; an interrupt while it is imported is no error."""
    try:
        from bayeslaw._interrupts import defer_interrupts

        defer_interrupts()
        from bayeslaw import cli

        cli.main()
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
