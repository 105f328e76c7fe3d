"""A line for the shell as commands, and which of their failures nobody would notice."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

_OPERATORS = ("&&", "||", ";;", "|&", ";", "|", "\n")
_KEYWORDS = frozenset(("then", "do", "else", "{", "(", "!"))
_OPENERS = frozenset(("if", "elif", "for", "while", "until", "case", "fi", "done", "esac", "}", ")"))
_CLOSERS = frozenset(("fi", "done", "else", "elif", "esac", "}", ")"))
_TESTS = frozenset(("[", "[[", "test", "command", "getent", "id", "which", "type", "grep", "!"))
_SWALLOWS = frozenset(("true", ":", "echo", "printf", "mkdir", "touch"))
_CANNOT_FAIL = frozenset(("set", "export", "echo", "printf", "yes", ":", "true", "unset"))
# The patterns before a command of `case`; the bar between them is no pipe.
_CASE = re.compile(r"""(?:\bin|;;)\s+\(?\s*[\w.*?"'\[\]/:-]+(?:\s*\|\s*[\w.*?"'\[\]/:-]+)+\s*\)""")
_BAR = re.compile(r"\s*\|\s*")
_ASSIGNMENT = re.compile(r"\w+=\S*$")


@dataclass(frozen=True)
class Command:
    """The words of a command, quotes kept, and the operator that follows it."""

    words: tuple[str, ...]
    after: str

    @property
    def text(self) -> str:
        """The command as a person writes it, shortened, without passwords in addresses."""
        said = without_password(" ".join(self.words))
        return said if len(said) <= 60 else f"{said[:57]}..."

    @property
    def own(self) -> tuple[str, ...]:
        """The words without the `then`, `do` or bracket before them."""
        words = list(self.words)
        while words and words[0] in _KEYWORDS - {"!"}:
            words.pop(0)
        return tuple(words)

    @property
    def program(self) -> str:
        """The first word that is a program."""
        return next((each for each in self.own if not _ASSIGNMENT.match(each)), "")


def without_password(text: str) -> str:
    """The text without what stands between `//` and `@` in an address."""
    return re.sub(r"//[^/@\s]+@", "//…@", text)


def commands(text: str) -> tuple[Command, ...]:
    """The commands of a line or a script; quotes and `$(…)` are not looked into."""
    found: list[Command] = []
    words: list[str] = []
    for word in _pieces(_CASE.sub(_one_pattern, text)):
        if word not in _OPERATORS:
            words.append(word)
        elif words:
            found.append(Command(tuple(words), word))
            words = []
    return (*found, Command(tuple(words), "")) if words else tuple(found)


def _one_pattern(case: re.Match[str]) -> str:
    return _BAR.sub(",", case[0])


def _pieces(text: str) -> Iterator[str]:
    word, place = "", 0
    while place < len(text):
        operator = next((each for each in _OPERATORS if text.startswith(each, place)), "")
        end = place + 1
        if operator or text[place] in " \t":
            if word:
                yield word
            word = ""
            if operator:
                yield operator
            place += len(operator) or 1
            continue
        if text[place] in "()":
            yield from (word, text[place]) if word else (text[place],)
            word, place = "", end
            continue
        if text[place] == "\\":
            end = place + 2
        elif text[place] in "'\"`":
            end = _closing(text, place)
        elif text.startswith("$(", place):
            end = _bracket(text, place + 1)
        elif text[place] == "#" and not word:
            end = text.find("\n", place) if "\n" in text[place:] else len(text)
            place = end
            continue
        word += text[place:end]
        place = end
    if word:
        yield word


def _closing(text: str, start: int) -> int:
    place = start + 1
    while place < len(text) and text[place] != text[start]:
        place += 2 if text[place] == "\\" and text[start] != "'" else 1
    return min(place + 1, len(text))


def _bracket(text: str, start: int) -> int:
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if not depth:
            return place + 1
    return len(text)


def sets(found: Sequence[Command], option: str) -> bool:
    """True when a `set` among the commands switches an option on: `e` or `pipefail`."""
    return any(each.program == "set" and switches(each.words[1:], option) for each in found)


def switches(words: Sequence[str], option: str) -> bool:
    """True when the words of `set` or of a shell switch an option on."""
    if option == "pipefail":
        return "pipefail" in words
    return any(re.match(rf"-[a-z]*{option}", each) for each in words) or "errexit" in words


def lost(text: str, *, stops: bool, pipes: bool) -> Iterator[str]:
    """Why a failure in the line would not be noticed; `stops` and `pipes` tell that the shell has -e and pipefail."""
    found = commands(text)
    stops, pipes = stops or sets(found, "e"), pipes or sets(found, "pipefail")
    for place, (command, following) in enumerate(zip_longest(found, found[1:])):
        if command.program == "set" and "+e" in command.words:
            yield "`set +e` lets every later command fail"
        if following is None:
            continue
        if command.after == "||" and _swallows(_last(found[place + 1 :])) and command.program not in _TESTS:
            yield f"`{command.text} || {following.text}` goes on when the first of the two fails"
        elif command.after in ("|", "|&") and not pipes and command.program not in _CANNOT_FAIL:
            yield f"the shell has no pipefail, so nobody sees `{command.text}` fail before the pipe"
        elif command.after in (";", "\n") and not stops and _can_be_lost(command, following):
            yield f"without `set -e` nobody sees `{command.text}` fail before the next command"


def _last(rest: Sequence[Command]) -> Command:
    """The command that says how the first one, or the group in brackets it begins, has ended."""
    if rest[0].words[0] not in ("{", "("):
        return rest[0]
    last = rest[0]
    for each in rest:
        last = each if each.words[0] not in _CLOSERS else last
        if _CLOSERS & set(each.words):
            break
    return last


def _swallows(command: Command) -> bool:
    return command.program in _SWALLOWS or command.own[:2] == ("exit", "0")


def _can_be_lost(command: Command, following: Command) -> bool:
    if command.words[0] in _OPENERS or following.words[0] in _CLOSERS | {"then", "do"}:
        return False
    return bool(command.program) and command.program not in _CANNOT_FAIL and command.program != "exit"
