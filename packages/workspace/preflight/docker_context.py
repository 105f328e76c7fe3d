"""What a Dockerfile may copy: the folder it is built in, its ignore file, and the folders that come from elsewhere.

A Dockerfile does not say which folder it is built in. It is taken to be the one, among its own folder and those above
it, where most of what it copies is found; when nothing is found there, any folder that has some of it. Where a comment
says "Build context: prepared by PROGRAM" and the checkout has that program, what is copied is the program's business.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from workspace.preflight.checkout import Checkout
from workspace.preflight.docker_syntax import Dockerfile, Instruction, Stage, filled

# What a build makes before the image is built, so it need not be in a checkout.
_MADE = frozenset(("dist", "build", "out", "publish", "target", "bin", "obj", "artifacts", "node_modules", "vendor"))
_BUILDS = (
    "*.sh", "*Makefile", "*justfile", "*.mk", "*Taskfile.y*ml", "*compose*.y*ml", "*docker-bake.*", ".github/*.y*ml",
    "*azure-pipelines*.y*ml", ".gitlab-ci.yml",
)  # fmt: skip
_SUBMODULE = re.compile(r"^\s*path\s*=\s*(\S+)", re.MULTILINE)
_SAID = re.compile(r"\bsubmodule\s+`?([\w./-]*\w)")
_PREPARED = re.compile(r"\bbuild context: prepared by\s+`?([\w./-]*\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Copied:
    """One source of a COPY or ADD, as a path in the context; a variable without a value is a `*`."""

    instruction: Instruction
    written: str
    path: str

    @property
    def is_whole(self) -> bool:
        """True for the whole context."""
        return self.path == "."


def copied(dockerfile: Dockerfile) -> Iterator[Copied]:
    """What a file copies from its context."""
    for stage in dockerfile.stages:
        for each in stage.of("COPY", "ADD"):
            if not each.flag("from"):
                yield from _sources(dockerfile, stage, each)


def _sources(dockerfile: Dockerfile, stage: Stage, instruction: Instruction) -> Iterator[Copied]:
    pairs = [pair for each in stage.of("ARG", "ENV") for pair in each.pairs if "$" not in pair[1]]
    values = {name: value or dockerfile.arguments.get(name, "") for name, value in pairs}
    for written in instruction.words[:-1]:
        if not written.startswith("<<") and not re.match(r"(https?|git|ssh)://|git@", filled(written, values)):
            path = posixpath.normpath(filled(written, values, otherwise="*").lstrip("/") or ".")
            yield Copied(instruction, written, path)


class Context:
    """The folder that a Dockerfile is built in, with what may be copied from it."""

    def __init__(self, checkout: Checkout, file: str, dockerfile: Dockerfile) -> None:
        self._checkout = checkout
        self._file = file
        self._elsewhere = (*submodules(checkout), *_said(dockerfile))
        makers = _PREPARED.findall(" ".join(dockerfile.comments))
        self._is_prepared = any(each in checkout.files for each in makers)
        self.copied = tuple(copied(dockerfile))
        above = self._above()
        # Of folders that have as much, the nearest one with an ignore file; that is there for a build.
        with_file = [each for each in reversed(above) if posixpath.join(each, ".dockerignore") in checkout.files]
        self.folder = max((*with_file, *above), key=self._found)
        if self.copied and not self._found(self.folder):
            self.folder = max((self.folder, *self._beside()), key=self._found)
        self.ignore_file = next((each for each in self._ignore_files() if each in checkout.files), "")
        self._ignored = _patterns(checkout.found(self.ignore_file)) if self.ignore_file else ()

    def missing(self) -> Iterator[tuple[Copied, str]]:
        """What is copied and cannot be, and why."""
        for each in self.copied:
            if each.path.startswith(".."):
                yield each, "lies outside the folder that the image is built in"
            elif self._is_prepared or self._is_elsewhere(each.path) or set(each.path.split("/")) & _MADE:
                continue
            elif not self._exists(self.folder, each.path):
                if self._is_made(each.path) or self._is_beside(each):
                    continue
                yield each, f"is not in {self.folder or 'the root of the checkout'}, which the image is built in"
            elif self._is_ignored(each.path):
                yield each, f"is kept out by {self.ignore_file}"

    def _is_made(self, path: str) -> bool:
        """True for what is no part of a checkout: git's own folder, what git ignores, and what a script builds."""
        if path.split("/")[0] == ".git":
            return True
        ignored = _ignored_by_git(self._checkout.found(posixpath.join(self.folder, ".gitignore")))
        ignored += _ignored_by_git(self._checkout.found(".gitignore"))
        if any(pattern.fullmatch(path) for pattern in ignored):
            return True
        return bool(
            re.search(
                rf"(?:-o|--output|>|--out)[ =]*\S*?(?<![\w.-]){re.escape(path)}(?![\w.-])", scripts(self._checkout)
            )
        )

    def _is_beside(self, copied: Copied) -> bool:
        """True for a pattern that need not match, since the same instruction copies something else."""
        others = [each for each in self.copied if each.instruction == copied.instruction]
        is_pattern = bool(re.search(r"[*?\[]", copied.written))
        return is_pattern and any(self._exists(self.folder, each.path) for each in others)

    def whole(self) -> Iterator[Copied]:
        """Copies of everything, or of a whole repository, that no ignore file narrows down."""
        if not self.ignore_file:
            yield from (each for each in self.copied if each.is_whole or each.path in self._elsewhere)

    def _above(self) -> tuple[str, ...]:
        folder = posixpath.dirname(self._file)
        above = [folder]
        while folder:
            folder = posixpath.dirname(folder)
            above.append(folder)
        return tuple(reversed(above))

    def _beside(self) -> tuple[str, ...]:
        """Folders elsewhere in the checkout that hold a file which is copied."""
        wanted = {f"/{each.path}" for each in self.copied if not re.search(r"[*?\[]|^\.", each.path)}
        files = self._checkout.files if wanted else ()
        return tuple({file.removesuffix(each) for file in files for each in wanted if file.endswith(each)})

    def _found(self, folder: str) -> int:
        """How much of what is copied is found; of as much, a file by its name tells more than a folder (`worker`)."""
        found = [each for each in self.copied if not each.is_whole and self._exists(folder, each.path)]
        return len(found) * 1000 + sum((self._checkout.root / folder / each.path).is_file() for each in found)

    def _ignore_files(self) -> tuple[str, ...]:
        return f"{self._file}.dockerignore", posixpath.join(self.folder, ".dockerignore")

    def _is_elsewhere(self, path: str) -> bool:
        whole = posixpath.join(self.folder, path)
        return any(whole == each or whole.startswith(f"{each}/") for each in self._elsewhere) and not any(
            self._checkout.matching(f"{each}/*") for each in self._elsewhere if whole.startswith(f"{each}/")
        )

    def _exists(self, folder: str, path: str) -> bool:
        place = self._checkout.root / folder
        if path.startswith(".."):
            return False
        try:
            return any(True for _ in place.glob(path)) if re.search(r"[*?\[]", path) else (place / path).exists()
        except (OSError, ValueError):
            return False

    def _is_ignored(self, path: str) -> bool:
        state = False
        for keeps, pattern in self._ignored:
            parts = path.split("/")
            if any(pattern.fullmatch("/".join(parts[:count])) for count in range(1, len(parts) + 1)):
                state = not keeps
            elif keeps and state:
                state = False  # a part of the folder may come back
        return state


def is_context(checkout: Checkout, name: str) -> bool:
    """True for the name of a context that a build is given beside its own."""
    said = scripts(checkout)
    if not re.search(r"build-contexts?\b|additional_contexts|\bcontexts\s*=", said):
        return False
    return bool(re.search(rf"(?<![\w.-]){re.escape(name)}[\"']?\s*[=:]", said))


def scripts(checkout: Checkout) -> str:
    """The text of whatever builds images: scripts, workflows, compose and bake files."""
    return "\n".join(map(checkout.found, checkout.matching(*_BUILDS)))


@cache
def _ignored_by_git(text: str) -> tuple[re.Pattern[str], ...]:
    lines = [line.strip() for line in text.splitlines()]
    names = [line.rstrip("/") for line in lines if line and not line.startswith(("#", "!"))]
    return tuple(_pattern(each.lstrip("/") if "/" in each else f"**/{each}") for each in names if each)


def submodules(checkout: Checkout) -> tuple[str, ...]:
    """The folders that hold repositories of their own."""
    return tuple(_SUBMODULE.findall(checkout.found(".gitmodules"))) if ".gitmodules" in checkout.files else ()


def _said(dockerfile: Dockerfile) -> tuple[str, ...]:
    """The folders that comments call a submodule."""
    return tuple(_SAID.findall(" ".join(dockerfile.comments)))


@cache
def _patterns(text: str) -> tuple[tuple[bool, re.Pattern[str]], ...]:
    """The lines of an ignore file: whether one keeps (`!`), and what it matches."""
    lines = [line.strip() for line in text.splitlines()]
    return tuple(
        (line.startswith("!"), _pattern(posixpath.normpath(line.lstrip("!").lstrip("/"))))
        for line in lines
        if line and not line.startswith("#")
    )


def _pattern(line: str) -> re.Pattern[str]:
    made, place = "", 0
    while place < len(line):
        if line.startswith("**/", place):
            made, place = made + "(?:.*/)?", place + 3
        elif line.startswith("**", place):
            made, place = made + ".*", place + 2
        else:
            made += {"*": "[^/]*", "?": "[^/]"}.get(line[place]) or re.escape(line[place])
            place += 1
    return re.compile(made)
