"""What a request brings, read as Resource Manager reads it: JSON, and what people write who take JSON for JavaScript.

`az deployment` sends a template as the text of its file, under a name without quotes: with comments, commas too many
and texts that go over several lines. Resource Manager takes all of that, so this does; nothing else is let through.
"""

import json
import re
from typing import Any

_BLANK = r"(?:\s|//[^\n]*|/\*.*?\*/)*"
_PIECE = re.compile(
    r'(?P<text>"(?:\\.|[^"\\])*")'
    r"|(?P<comment>//[^\n]*|/\*.*?\*/)"
    rf"|(?P<name>[A-Za-z_$][\w$]*)(?={_BLANK}:)"
    rf"|(?P<comma>,)(?={_BLANK}[}}\]])",
    re.DOTALL,
)


def read(raw: bytes) -> Any:
    """The value that the bytes stand for; a ValueError where they stand for none."""
    text = raw.decode("utf-8-sig")
    try:
        return json.loads(text)
    except ValueError as error:
        try:
            return json.loads(_PIECE.sub(_plain, text), strict=False)
        except ValueError:
            raise error from None


def _plain(found: re.Match[str]) -> str:
    """The piece as JSON has it."""
    if found["text"]:
        return found["text"]
    return f'"{found["name"]}"' if found["name"] else " "
