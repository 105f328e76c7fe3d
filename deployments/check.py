"""Look at every definition before anything is touched: `make check-definitions`, and `workspace check` by its options.

Fails when anything would fail or is a risk.
"""

import typer

from deployments import checking


def main(arguments: list[str] | None = None) -> int:
    """Check a checkout and say what was found; the exit code."""
    application = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    application.command()(checking.check)
    code = application(["--fail-on", "risk", *(arguments or [])], standalone_mode=False)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
