"""Write docs/rules, a page for each rule of preflight, from the rules themselves: `make rules`."""

import shutil
import sys
from pathlib import Path

from workspace.preflight.pages import written

FOLDER = Path(__file__).parent.parent / "docs" / "rules"


def main() -> None:
    """Write all pages, and remove those of rules that are gone."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    pages = written()
    for path, text in pages.items():
        place = FOLDER / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(pages)} pages in docs/rules\n")


if __name__ == "__main__":
    main()
