"""``python -m multiwhats_async`` and the ``multiwhats`` command."""

import sys


def main() -> None:
    """Run the command line, or say which extra it needs."""
    try:
        from .cli import run  # noqa: PLC0415  # an extra: imported only where it is used
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(
            f"multiwhats needs {error.name}: install it with  pip install 'multiwhats-async[all]'"
        )
    run()


if __name__ == "__main__":
    main()
