"""The shell of a `run:` step as commands, and what becomes of the failure of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from workspace.preflight.github_expressions import expressions

LOOPS = frozenset(("for_statement", "while_statement", "c_style_for_statement"))
_BEFORE = frozenset(("sudo", "time", "exec", "nohup", "command", "env", "then", "timeout", "stdbuf", "xvfb-run"))
_QUIET = frozenset(("true", ":", "echo", "printf", "cat"))
_MARK = re.compile(r"__(\d+)expression__")
_NULL = "/dev/null"
_LANGUAGE = Language(tree_sitter_bash.language())


@dataclass(frozen=True)
class Command:
    """One command of a script."""

    script: "Script" = field(repr=False)
    node: Node = field(repr=False)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Its words without quotes; expressions of GitHub and `$NAME` stay as written."""
        return tuple(self.script.word(each) for each in self.node.named_children if "redirect" not in each.type)

    @cached_property
    def own(self) -> tuple[str, ...]:
        """The words from the program on, without `sudo`, `timeout 5m` and assignments before it."""
        words = list(self.words)
        while words:
            if re.match(r"\w+=", words[0]) or words[0] in _BEFORE:
                wrapper = words.pop(0)
                while wrapper in _BEFORE and words and words[0].startswith("-"):
                    words.pop(0)
                if wrapper == "timeout" and words:
                    words.pop(0)
                continue
            break
        return tuple(words)

    @property
    def program(self) -> str:
        """The program's name without its folder."""
        return self.own[0].rsplit("/", 1)[-1] if self.own else ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the program is given."""
        return self.own[1:]

    @property
    def row(self) -> int:
        """The row of the script it stands in, the first being 0."""
        return int(self.node.start_point[0])

    @property
    def said(self) -> str:
        """The command for a sentence: shortened, and without what might be a secret."""
        words = re.sub(r"//[^/@\s]+@", "//…@", " ".join(self.own))
        words = re.sub(r"(?i)((?:password|secret|token|key)[=: ]+)[^$\s]\S*", r"\1…", words)
        return words if len(words) <= 60 else f"{words[:57]}..."

    def has(self, *verbs: str) -> bool:
        """True when the words that are no options begin with these."""
        return self.verbs[: len(verbs)] == verbs

    @cached_property
    def verbs(self) -> tuple[str, ...]:
        """The arguments that are no options, in order; the value of an option counts as one."""
        return tuple(each for each in self.arguments if not each.startswith("-"))

    def option(self, *names: str) -> str | None:
        """The value of an option, `--name value` or `--name=value`; empty when it has none, None without it."""
        for place, word in enumerate(self.arguments):
            name, equals, after = word.partition("=")
            if name in names:
                following = self.arguments[place + 1] if place + 1 < len(self.arguments) else ""
                return after if equals else ("" if following.startswith("-") else following)
        return None

    @cached_property
    def above(self) -> tuple[Node, ...]:
        """The parts of the script it stands in, from the inside out."""
        return tuple(_above(self.node))

    def inside(self, *types: str) -> bool:
        """True when it stands in a part of one of these types."""
        return any(each.type in types for each in self.above)

    @cached_property
    def piped_into(self) -> "Command | None":
        """The next command of its pipe, when it is not the last."""
        below = self.node
        for part in self.above:
            if part.type == "pipeline":
                parts = part.named_children
                place = next((number for number, each in enumerate(parts) if each.id == below.id), len(parts))
                if place + 1 < len(parts):
                    return next(self.script.below(parts[place + 1]), None)
            elif part.type not in ("redirected_statement", "negated_command", "compound_statement", "subshell"):
                return None
            below = part
        return None

    @cached_property
    def pipe_end(self) -> "Command":
        """The last command of its pipe, or itself."""
        return self.piped_into.pipe_end if self.piped_into else self

    @cached_property
    def swallowed_by(self) -> str:
        """The words after `||` that make its failure a success: `true`, `echo …`; empty when there are none."""
        below = self.node
        for part in self.above:
            if part.type == "list":
                left, sign, right = part.children[0], part.children[1].type, part.children[-1]
                if sign == "||" and left.id == below.id:
                    quiet = _is_quiet(self.script, right) and not _is_told_on(self.script, part, right)
                    return self.script.source(right) if quiet else ""
            elif part.type == "pipeline":
                if part.named_children[-1].id != below.id and not self.script.is_set("pipefail", self.node):
                    return ""
            elif part.type not in ("redirected_statement", "compound_statement", "subshell"):
                return ""
            below = part
        return ""

    @cached_property
    def is_asked(self) -> bool:
        """True when something decides on its exit code: `if`, `while`, `!`, `&&` or `||` after it."""
        below = self.node
        for part in self.above:
            if part.type == "negated_command":
                return True
            if part.type in ("if_statement", "elif_clause", "while_statement"):
                return part.named_children[0].id == below.id
            if part.type == "list" and part.children[0].id == below.id:
                return True
            if part.type not in ("redirected_statement", "list", "pipeline", "compound_statement", "subshell"):
                return False
            below = part
        return False

    @cached_property
    def is_background(self) -> bool:
        """True when it runs beside the script: `&` after it."""
        below: Node = self.node
        for part in (self.node, *self.above):
            if part.type not in (
                "command",
                "redirected_statement",
                "pipeline",
                "list",
                "subshell",
                "compound_statement",
            ):
                break
            below = part
        return below.next_sibling is not None and below.next_sibling.type == "&"

    @cached_property
    def is_lost_in_a_word(self) -> str:
        """The command whose word is made by this one, when that command succeeds all the same: `export A=$(…)`."""
        parts = (self.node, *self.above)
        for place, part in enumerate(parts):
            if part.type != "command_substitution":
                continue
            for holder in parts[place + 1 :]:
                if holder.type == "declaration_command":
                    return str(self.script.source(holder.children[0]))
                if holder.type == "command":
                    return Command(self.script, holder).program
                if holder.type not in ("variable_assignment", "string", "concatenation"):
                    return ""
            return ""
        return ""

    @cached_property
    def redirects(self) -> tuple[str, ...]:
        """`2>/dev/null`, `>>$GITHUB_OUTPUT` …, without quotes and spaces, of it and of the group it stands in."""
        found: list[Node] = [each for each in self.node.named_children if each.type == "file_redirect"]
        below = self.node
        for part in self.above:
            if part.type == "redirected_statement":
                found += [each for each in part.named_children if each.type == "file_redirect"]
            elif part.type not in ("pipeline", "negated_command", "list", "compound_statement") or (
                part.type == "pipeline" and part.named_children[-1].id != below.id
            ):
                break
            below = part
        return tuple(re.sub(r"[\s\"']", "", self.script.source(each)) for each in found)

    @property
    def hides_errors(self) -> bool:
        """True when what it complains about goes to /dev/null."""
        redirects = self.redirects
        return any(each in (f"2>{_NULL}", f"&>{_NULL}", f">&{_NULL}") for each in redirects) or (
            "2>&1" in redirects and any(each in (f">{_NULL}", f"1>{_NULL}") for each in redirects)
        )

    @property
    def writes_to(self) -> str:
        """Where its output goes when not to the log."""
        return next((each.lstrip("1>") for each in self.redirects if re.match(r"1?>>?[^&]", each)), "")


class Script:
    """The text of a step, read by the grammar of bash."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.expressions = expressions(text)
        pieces, place = [], 0
        for number, each in enumerate(self.expressions):
            pieces += [text[place : each.start], f"__{number}expression__"]
            place = each.end
        self._bytes = "".join((*pieces, text[place:])).encode()
        self.root = Parser(_LANGUAGE).parse(self._bytes).root_node

    @property
    def is_broken(self) -> bool:
        """True when some of it could not be read; what is said of its structure is not sure then."""
        return bool(self.root.has_error)

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """All its commands in order, those in `$(…)`, loops and functions included."""
        return tuple(self.below(self.root))

    def below(self, node: Node) -> Iterator[Command]:
        """The commands in a part of the script."""
        return (Command(self, each) for each in self.nodes(node, "command"))

    def nodes(self, node: Node, *types: str) -> Iterator[Node]:
        """The parts of some types, in order."""
        left = [node]
        while left:
            each = left.pop()
            if each.type in types:
                yield each
            left += reversed(each.children)

    def source(self, node: Node) -> str:
        """A part of the script as written."""
        return self._restored(self._bytes[node.start_byte : node.end_byte].decode(errors="replace"))

    def word(self, node: Node) -> str:
        """A word without its quotes."""
        text = self.source(node)
        if node.type in ("string", "raw_string") and len(text) > 1:
            return text[1:-1]
        return re.sub(r"(?<!\\)[\"']", "", text) if node.type == "concatenation" else text

    def is_set(self, option: str, at: Node) -> bool | None:
        """Whether `set` switched an option on (`e`, `pipefail`) or off before a place; None when it said nothing."""
        found: bool | None = None
        for command in self.commands:
            if command.node.start_byte >= at.start_byte:
                break
            if command.program == "set":
                said = _switched(command.arguments, option)
                found = found if said is None else said
        return found

    def after(self, node: Node) -> str:
        """The text of the script behind a part of it."""
        return self._restored(self._bytes[node.end_byte :].decode(errors="replace"))

    def _restored(self, text: str) -> str:
        return _MARK.sub(lambda found: self._expression(int(found.group(1)), found.group(0)), text)

    def _expression(self, number: int, otherwise: str) -> str:
        if number >= len(self.expressions):
            return otherwise
        each = self.expressions[number]
        return self.text[each.start : each.end]


@lru_cache(maxsize=2048)
def script(text: str) -> Script:
    """A script, read once."""
    return Script(text)


def _above(node: Node) -> Iterator[Node]:
    part = node.parent
    while part is not None:
        yield part
        part = part.parent


def _switched(words: tuple[str, ...], option: str) -> bool | None:
    for place, word in enumerate(words):
        named = words[place + 1] if re.match(r"[-+]\w*o$", word) and place + 1 < len(words) else ""
        if named == option or (option == "e" and named == "errexit"):
            return word.startswith("-")
        if len(option) == 1 and re.match(rf"[-+]\w*{option}", word):
            return word.startswith("-")
    return None


def _is_told_on(found: Script, alternatives: Node, node: Node) -> bool:
    """True when what stands after `||` writes an output or a variable, which a later step can read."""
    holder = alternatives.parent
    # The grammar takes a redirection at the end for one of the whole line.
    around = holder if holder is not None and holder.type == "redirected_statement" else node
    return bool(re.search(r">\s*[\"']?\$\{?GITHUB_(OUTPUT|ENV)\b", found.source(around)))


def _is_quiet(found: Script, node: Node) -> bool:
    """True when what stands after `||` ends well and remembers nothing."""
    if any(found.nodes(node, "variable_assignment", "if_statement", "test_command")):
        return False
    commands = list(found.below(node))
    if not commands or any(each.program in ("exit", "return") and each.arguments[:1] != ("0",) for each in commands):
        return False
    return all(each.program in _QUIET or each.own[:2] in (("exit", "0"), ("return", "0")) for each in commands)
