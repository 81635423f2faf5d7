"""``python -m cuckoo``, and the ``cuckoo`` command."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; exits the process."""
    try:
        from cuckoo.cli.main import cli

        cli(prog_name="cuckoo")
    except KeyboardInterrupt:  # while modules are still being imported
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
