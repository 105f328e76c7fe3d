"""The words of a Bicep file: names, numbers, texts with their holes, marks; each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLANK = re.compile(
    r"(?:[ \t\r]|//[^\n]*|/\*.*?\*/|#(?:disable-next-line|disable-diagnostics|restore-diagnostics)[^\n]*)+", re.DOTALL
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[0-9]+")
_MARKS = (
    "...", ".?", "::", "=>", "==", "!=", "=~", "!~", "<=", ">=", "&&", "||", "??", "@", "(", ")", "[",
    "]", "{", "}", ",", ".", ":", "=", "?", "!", "<", ">", "+", "-", "*", "/", "%", "^", "|",
)  # fmt: skip
_ESCAPES = {"\\": "\\", "'": "'", "n": "\n", "r": "\r", "t": "\t", "$": "$"}
_BLOCK = re.compile(r"(\$*)'''")
_UNICODE = re.compile(r"u\{([0-9A-Fa-f]{1,6})\}")


class BicepError(Exception):
    """The file is refused: where (line and column from 1), the compiler's code, the sentence."""

    def __init__(self, path: str, line: int, column: int, code: str, message: str) -> None:
        super().__init__(f"{path}({line},{column}) : Error {code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Token:
    """One word. `sort` is name, number, text, mark, newline or end; a text holds literals and token lists in turn."""

    sort: str
    text: str
    place: int
    parts: tuple["str | tuple[Token, ...]", ...] = ()


class Source:
    """The text of a file, able to say where a place is."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    def error(self, place: int, code: str, message: str) -> BicepError:
        """A refusal at a place in the text."""
        line = self.text.count("\n", 0, place) + 1
        column = place - (self.text.rfind("\n", 0, place) + 1) + 1
        return BicepError(self.path, line, column, code, message)

    def tokens(self) -> tuple[Token, ...]:
        """All words of the file, ended by an `end`."""
        return tuple(_Lexer(self).read(0, closing=""))


class _Lexer:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self.place = 0

    def read(self, start: int, closing: str) -> Iterator[Token]:
        """Words from a place on, up to the end of the file or the closing brace that was not opened here."""
        self.place, depth = start, 0
        while True:
            self._skip_blanks()
            if self.place >= len(self._text):
                if closing:
                    raise self._source.error(start, "BCP004", "The string at this location is not terminated.")
                yield Token("end", "", self.place)
                return
            token = self._next()
            depth += (token.text == "{") - (token.text == "}") if token.sort == "mark" else 0
            if depth < 0 and closing:
                yield Token("end", "", token.place)
                return
            yield token

    def _skip_blanks(self) -> None:
        match = _BLANK.match(self._text, self.place)
        if match:
            self.place = match.end()

    def _next(self) -> Token:
        start, text = self.place, self._text
        if text[start] == "\n":
            self.place += 1
            return Token("newline", "\n", start)
        if match := _BLOCK.match(text, start):
            return self._block(len(match[1]))
        if text[start] == "'":
            return self._string()
        for sort, pattern in (("name", _WORD), ("number", _NUMBER)):
            if match := pattern.match(text, start):
                self.place = match.end()
                return Token(sort, match[0], start)
        for mark in _MARKS:
            if text.startswith(mark, start):
                self.place += len(mark)
                return Token("mark", mark, start)
        raise self._source.error(start, "BCP001", f'The following token is not recognized: "{text[start]}".')

    def _block(self, dollars: int) -> Token:
        """A text of several lines; as many dollars as stand before it, and a brace, begin a hole in it."""
        start = self.place
        self.place += dollars + 3
        opening = "$" * dollars + "{"
        parts: list[str | tuple[Token, ...]] = [""]
        while not self._text.startswith("'''", self.place):
            if self.place >= len(self._text):
                raise self._source.error(start, "BCP140", "The multi-line string at this location is not terminated.")
            if dollars and self._text.startswith(opening, self.place):
                parts += [self._hole(len(opening)), ""]
            else:
                end = self._end_of_plain(opening if dollars else "")
                parts[-1] = f"{parts[-1]}{self._text[self.place : end]}"
                self.place = end
        self.place += 3
        while self._text.startswith("'", self.place):  # quotes right before the end belong to the text
            parts[-1] = f"{parts[-1]}'"
            self.place += 1
        parts[0] = _after_first_newline(str(parts[0]))
        return Token("text", "", start, tuple(parts))

    def _end_of_plain(self, opening: str) -> int:
        """Where the literal text here ends: at the closing quotes, at a hole, or with the file."""
        ends = [self._text.find(each, self.place) for each in ("'''", opening) if each]
        return min((each for each in ends if each >= 0), default=len(self._text))

    def _string(self) -> Token:
        start = self.place
        self.place += 1
        parts: list[str | tuple[Token, ...]] = [""]
        while True:
            character = self._text[self.place : self.place + 1]
            if character in ("", "\n"):
                raise self._source.error(start, "BCP004", "The string at this location is not terminated.")
            if character == "'":
                self.place += 1
                return Token("text", "", start, tuple(parts))
            if self._text.startswith("${", self.place):
                parts += [self._hole(len("${")), ""]
            else:
                parts[-1] = f"{parts[-1]}{self._character()}"

    def _hole(self, opening: int) -> tuple[Token, ...]:
        inner = _Lexer(self._source)
        tokens = tuple(inner.read(self.place + opening, closing="}"))
        self.place = inner.place
        return tokens

    def _character(self) -> str:
        start = self.place
        if self._text[start] != "\\":
            self.place += 1
            return self._text[start]
        if match := _UNICODE.match(self._text, start + 1):
            self.place = match.end()
            return chr(int(match[1], 16))
        self.place += 2
        if self._text[start + 1] not in _ESCAPES:
            raise self._source.error(
                start,
                "BCP006",
                "The specified escape sequence is not recognized. Only the following escape sequences are allowed: "
                '"\\$", "\\\'", "\\\\", "\\n", "\\r", "\\t", "\\u{...}".',
            )
        return _ESCAPES[self._text[start + 1]]


def _after_first_newline(text: str) -> str:
    for newline in ("\r\n", "\n"):
        if text.startswith(newline):
            return text[len(newline) :]
    return text
