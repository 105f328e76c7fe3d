"""A Dockerfile as stages of instructions, each with its line. What cannot be read is a mistake in the result."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from workspace.preflight.limits import FILE_SECONDS, TooLong, within

INSTRUCTIONS = frozenset((
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
))  # fmt: skip
_HAVE_HEREDOCS = ("RUN", "COPY", "ADD")
_MAY_BE_LISTS = ("CMD", "ENTRYPOINT", "RUN", "SHELL", "COPY", "ADD", "VOLUME")
_ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)\s*$", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=")
_HEREDOC = re.compile(r"""<<(-?)(["']?)([A-Za-z_]\w*)\2""")
# A list, however it is written; a test of the shell has words between its first text and the comma or bracket.
_LIST = re.compile(r"""\[\s*(["'])[^"']*\1\s*(?:,.*)?\]\s*$""")
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?(?:\s+|$)")
_NAMED = re.compile(r"(?:(?:Dockerfile|Containerfile)(?:\..+)?|.+\.Dockerfile)")
# What others make of a Dockerfile, or write about it.
_ABOUT = re.compile(
    r"\.(?:dockerignore|md|rst|adoc|html?|tmlanguage|tmpreferences|vim|sh|ps1|py|go|j2|jinja2?|tmpl|tpl|template|erb|ejs|hbs"
    r"|mustache|orig|rej|patch)",
    re.IGNORECASE,
)
_SHELLS = frozenset(("sh", "bash", "ash", "dash", "zsh", "ksh"))
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-+]([^}]*))?\}|(\w+))")


@dataclass(frozen=True)
class Instruction:
    """One instruction: `word` in capitals, flags without their dashes, the rest as written, heredocs beneath it."""

    line: int
    word: str
    rest: str
    flags: tuple[tuple[str, str], ...] = ()
    heredocs: tuple[str, ...] = ()

    def flag(self, name: str) -> str:
        """The value of a flag, or nothing."""
        return next((value for each, value in self.flags if each == name), "")

    @property
    def origins(self) -> tuple[str, ...]:
        """The stages, images or contexts that it takes something from."""
        mounts = [value.split(",") for each, value in self.flags if each == "mount"]
        mounted = [each.partition("=")[2] for parts in mounts for each in parts if each.startswith("from=")]
        return tuple(each for each in (self.flag("from"), *mounted) if each)

    @property
    def script(self) -> tuple[str, tuple[str, ...]] | None:
        """What a shell reads of a RUN, and the words that start that shell if they are not those of SHELL.

        None when it is a list, or when another program reads what stands in its heredoc.
        """
        if self.listed is not None:
            return None
        if not self.heredocs:
            return self.rest, ()
        line = _HEREDOC.sub(" ", self.rest)
        inside = "\n".join(self.heredocs)
        words = line.split() or inside.partition("\n")[0].removeprefix("#!").split() * inside.startswith("#!")
        words = words[1:] if words and words[0].endswith("/env") else words
        if words and words[0].rpartition("/")[2] not in _SHELLS:
            return (line, ()) if line.strip() else None
        return inside, tuple(words)

    @property
    def listed(self) -> tuple[str, ...] | None:
        """The items when it is written as a JSON list; None when it is written as a line."""
        if not self.rest.startswith("["):
            return None
        try:
            items = json.loads(self.rest)
        except ValueError:
            return None
        return tuple(items) if isinstance(items, list) and all(isinstance(each, str) for each in items) else None

    @property
    def words(self) -> tuple[str, ...]:
        """The items of the list, or the words of the line without their quotes."""
        if self.listed is not None:
            return self.listed
        try:
            return tuple(shlex.split(self.rest))
        except ValueError:
            return tuple(self.rest.split())

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Names and values of ARG, ENV or LABEL; `ENV NAME VALUE`, the old way, is one pair."""
        words = self.words
        if self.word == "ENV" and words and "=" not in words[0]:
            return ((words[0], " ".join(words[1:])),)
        return tuple((name, value) for name, _, value in (each.partition("=") for each in words))


@dataclass(frozen=True)
class Stage:
    """What one FROM begins: its image as written, its name in lower case (or nothing) and its instructions."""

    line: int
    image: str
    name: str
    instructions: tuple[Instruction, ...]

    def of(self, *words: str) -> tuple[Instruction, ...]:
        """The instructions of these sorts."""
        return tuple(each for each in self.instructions if each.word in words)


@dataclass(frozen=True)
class Mistake:
    """A place that cannot be read, and why."""

    line: int
    what: str


@dataclass(frozen=True)
class Dockerfile:
    """The stages of a file, the ARGs before the first, its comments, and what could not be read."""

    stages: tuple[Stage, ...]
    arguments: Mapping[str, str]
    comments: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    def named(self, name: str, before: Stage) -> Stage | None:
        """The stage with this name or number that comes before another."""
        earlier = self.stages[: self.stages.index(before)]
        if name.isdecimal():
            return earlier[int(name)] if int(name) < len(earlier) else None
        return next((each for each in reversed(earlier) if each.name == name.lower()), None)

    def lineage(self, stage: Stage) -> tuple[Stage, ...]:
        """The stages whose layers a stage holds: the one it began with first, itself last."""
        below = self.named(self.image(stage), stage) if not self.image(stage).isdecimal() else None
        return (*(self.lineage(below) if below else ()), stage)

    def image(self, stage: Stage) -> str:
        """The image of a stage with ARGs at their defaults; what has no default stays as it is written."""
        return filled(stage.image, self.arguments)

    @property
    def shipped(self) -> tuple[Stage, ...]:
        """The stages whose layers are in the image: the last one and what it builds on."""
        return self.lineage(self.stages[-1]) if self.stages else ()


def filled(text: str, values: Mapping[str, str], otherwise: str | None = None) -> str:
    """The text with its variables replaced; those without a value become `otherwise`, or stay."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1] or match[3]) or match[2]
        if found:
            return found
        return match[0] if otherwise is None else otherwise

    return _VARIABLE.sub(value, text)


def is_dockerfile(file: str) -> bool:
    """True when a builder would be given the file; a page about Dockerfiles or a template of one is none."""
    name = file.rpartition("/")[2]
    return bool(_NAMED.fullmatch(name)) and not _ABOUT.fullmatch(name[max(name.rfind("."), 0) :])


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile; what is wrong stands in `mistakes`."""
    try:
        with within(FILE_SECONDS):
            return _Reader(text).read()
    except TooLong as error:
        return Dockerfile((), {}, (), (Mistake(1, str(error)),))


@dataclass
class _Reader:
    text: str
    mistakes: list[Mistake] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def read(self) -> Dockerfile:
        self._lines = self.text.removeprefix("\ufeff").splitlines()
        self._escape = self._escape_character()
        before: list[Instruction] = []
        stages: list[tuple[Instruction, list[Instruction]]] = []
        for each in self._instructions():
            if each.word == "FROM":
                stages.append((each, []))
            elif stages:
                stages[-1][1].append(each)
            elif each.word == "ARG":
                before.append(each)
            else:
                self._mistake(each.line, f"{each.word} stands before the first FROM; only ARG may")
        if not stages:
            self._mistake(1, "there is no FROM, so there is no image to build")
        arguments: dict[str, str] = {}
        for name, value in (pair for each in before for pair in each.pairs):
            arguments[name] = filled(value, arguments)
        made = tuple(self._stage(*each) for each in stages)
        return Dockerfile(made, arguments, tuple(self.comments), tuple(self.mistakes))

    def _mistake(self, line: int, what: str) -> None:
        self.mistakes.append(Mistake(line, what))

    def _escape_character(self) -> str:
        for line in self._lines:
            if match := _ESCAPE.match(line.strip()):
                return match[1]
            if not _DIRECTIVE.match(line.strip()):
                break
        return "\\"

    def _stage(self, start: Instruction, instructions: list[Instruction]) -> Stage:
        words = start.rest.split()
        name = words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else ""
        if len(words) not in (1, 3) or (len(words) == 3 and not name):
            self._mistake(start.line, f"`FROM {start.rest}` is not `FROM image` or `FROM image AS name`")
        return Stage(start.line, words[0] if words else "", name, tuple(instructions))

    def _instructions(self) -> Iterator[Instruction]:
        self._at = 0
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            if line and not line.startswith("#"):
                found = self._instruction(self._at + 1, self._joined())
                if found:
                    yield found
                continue
            if line:
                self.comments.append(line.lstrip("# "))
            self._at += 1

    def _joined(self) -> str:
        """The line we stand on with those that continue it; comments and empty lines between them fall out."""
        parts: list[str] = []
        first = self._at + 1
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            self._at += 1
            if parts and (not line or line.startswith("#")):
                continue
            parts.append(line.removesuffix(self._escape))
            if not line.endswith(self._escape):
                return " ".join(each.strip() for each in parts).strip()
        self._mistake(first, "the instruction goes on after the end of the file")
        return " ".join(each.strip() for each in parts).strip()

    def _instruction(self, line: int, text: str) -> Instruction | None:
        word, *more = text.split(maxsplit=1) or [""]
        word, rest = word.upper(), "".join(more)
        if word not in INSTRUCTIONS:
            self._mistake(line, f"{word.split()[0][:40] if word else word!r} is no instruction of a Dockerfile")
            return None
        if not rest:
            self._mistake(line, f"{word} says nothing")
        flags, rest = _flags(word, rest)
        heredocs = tuple(self._heredocs(line, rest)) if word in _HAVE_HEREDOCS else ()
        found = Instruction(line, word, rest, flags, heredocs)
        self._check_list(found)
        if word in ("COPY", "ADD") and rest and len(found.words) < 2:
            self._mistake(line, f"{word} needs what to copy and where to")
        return found

    def _check_list(self, found: Instruction) -> None:
        if found.word in _MAY_BE_LISTS and _LIST.match(found.rest) and found.listed is None:
            self._mistake(
                found.line, f"the list of {found.word} is no JSON, so it would be run as a line: {found.rest[:60]}"
            )

    def _heredocs(self, line: int, rest: str) -> Iterator[str]:
        for match in _HEREDOC.finditer(rest):
            body: list[str] = []
            while self._at < len(self._lines):
                text = self._lines[self._at]
                self._at += 1
                if (text.lstrip("\t") if match[1] else text) == match[3]:
                    break
                body.append(text)
            else:
                self._mistake(line, f"the heredoc {match[3]} is not ended")
            yield "\n".join(body)


def _flags(word: str, rest: str) -> tuple[tuple[tuple[str, str], ...], str]:
    found: list[tuple[str, str]] = []
    while word not in ("ARG", "ENV", "LABEL", "EXPOSE") and (match := _FLAG.match(rest)):
        found.append((match[1], match[2] or ""))
        rest = rest[match.end() :]
    return tuple(found), rest
