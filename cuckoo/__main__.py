"""``python -m cuckoo``, and the ``cuckoo`` command."""

from cuckoo.cli.main import cli


def main() -> None:
    """Run the command line; exits the process."""
    cli(prog_name="cuckoo")


if __name__ == "__main__":
    main()
