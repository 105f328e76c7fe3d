"""The workflows, local actions and submodules of a checkout, read once."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workspace.preflight.checkout import Checkout
from workspace.preflight.github_expressions import UNKNOWN, Reference, Unknown, Value, condition, truth, value
from workspace.preflight.github_shell import Script, script
from workspace.preflight.github_yaml import Piece
from workspace.preflight.kubernetes_yaml import read_yaml

BY_HAND = frozenset(("workflow_dispatch", "workflow_call", "repository_dispatch"))
_PLACE = re.compile(r"(?P<root>(?:.*/)?)\.github/workflows/[^/]+\.ya?ml")
_SAMPLE = re.compile(
    r"(^|/)(templates?|samples?|examples?|tests?|fixtures?|docs?|testdata|vendor|third_party)(/|$)", re.I
)


@dataclass(frozen=True)
class Unread:
    """Why a file cannot be read, and where."""

    file: str
    line: int
    what: str


@dataclass(frozen=True)
class Submodule:
    """A section of .gitmodules."""

    name: str
    file: str
    line: int
    keys: tuple[tuple[str, str, int], ...]

    def key(self, name: str) -> tuple[str, int]:
        """Its last value of a name and the value's line; empty with the section's line when there is none."""
        return next(((value, line) for key, value, line in reversed(self.keys) if key == name), ("", self.line))

    @property
    def path(self) -> str:
        """Where it is checked out."""
        return posixpath.normpath(self.key("path")[0]) if self.key("path")[0] else ""


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a job or of a composite action."""

    holder: "Job | Action" = field(repr=False)
    place: int
    piece: Piece = field(repr=False)

    @property
    def id(self) -> str:
        """Its id, or nothing."""
        return self.piece["id"].text

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return self.piece["name"].text or self.id or self.uses or f"step {self.place + 1}"

    @cached_property
    def uses(self) -> str:
        """The action it uses, with its version; or nothing."""
        return self.piece["uses"].text

    @cached_property
    def action(self) -> str:
        """The action it uses, in small letters, without its version."""
        return self.uses.partition("@")[0].lower()

    @property
    def given(self) -> Piece:
        """What the action is given."""
        return self.piece["with"]

    @cached_property
    def shell(self) -> str:
        """The shell as the workflow names it; empty for the default."""
        if isinstance(self.holder, Action):
            return self.piece["shell"].text
        job = self.holder.piece["defaults"]["run"]["shell"].text
        return self.piece["shell"].text or job or self.holder.workflow.piece["defaults"]["run"]["shell"].text

    @property
    def is_bash(self) -> bool:
        """True when its script is for bash or sh."""
        if not self.shell:
            return not self.holder.may_run_on_windows
        return bool(re.match(r"(/\S*/)?(ba)?sh(\s|$)", self.shell))

    @property
    def stops(self) -> bool:
        """True when its shell ends at the first failure."""
        return self.shell in ("", "bash", "sh") or bool(re.search(r"\s-\w*e", self.shell))

    @property
    def pipes(self) -> bool:
        """True when its shell takes a failure anywhere in a pipe as one: only `shell: bash` does, not the default."""
        return self.shell == "bash" or "pipefail" in self.shell

    @cached_property
    def text(self) -> Piece:
        """The script it runs: its `run`, or the one it hands to azure/cli."""
        if self.piece["run"]:
            return self.piece["run"] if self.is_bash else Piece(None, self.piece.line)
        return self.given["inlineScript"] if self.action == "azure/cli" else Piece(None, self.piece.line)

    @cached_property
    def script(self) -> Script:
        """Its script; empty for other shells."""
        return script(self.text.text)

    def line(self, row: int) -> str:
        """The place of a row of its script."""
        return f"{self.holder.file}:{self.text.line_of(row)}"

    @property
    def place_in_file(self) -> str:
        """Where it begins."""
        return f"{self.holder.file}:{self.piece.line}"

    @property
    def folder(self) -> Piece:
        """Its working-directory, or the default one, which is for scripts alone."""
        own = self.piece["working-directory"]
        if own or isinstance(self.holder, Action) or not self.piece["run"]:
            return own
        job = self.holder.piece["defaults"]["run"]["working-directory"]
        return job or self.holder.workflow.piece["defaults"]["run"]["working-directory"]


@dataclass(frozen=True, eq=False)
class Action:
    """A composite action of the checkout."""

    file: str
    piece: Piece = field(repr=False)

    @property
    def may_run_on_windows(self) -> bool:
        """A composite action names its shells."""
        return False

    @property
    def is_composite(self) -> bool:
        """True when it is made of steps."""
        return self.piece["runs"]["using"].text == "composite"

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Its steps, in order."""
        return tuple(Step(self, place, each) for place, each in enumerate(self.piece["runs"]["steps"].parts))


@dataclass(frozen=True, eq=False)
class Job:
    """One job of a workflow."""

    workflow: "Workflow" = field(repr=False)
    id: str
    piece: Piece = field(repr=False)

    @property
    def file(self) -> str:
        """The workflow's file."""
        return self.workflow.file

    @property
    def at(self) -> str:
        """Where it begins."""
        return f"{self.file}:{self.piece.line}"

    @property
    def uses(self) -> str:
        """The reusable workflow it is made of, or nothing."""
        return self.piece["uses"].text

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The jobs it waits for."""
        return tuple(each.text for each in self.piece["needs"].parts)

    @cached_property
    def before(self) -> tuple["Job", ...]:
        """All jobs that come before it, directly or not."""
        found: dict[str, Job] = {}
        left = list(self.needs)
        while left:
            name = left.pop()
            job = self.workflow.jobs.get(name)
            if job and name not in found:
                found[name] = job
                left += job.needs
        return tuple(found.values())

    @property
    def environment(self) -> Piece:
        """The GitHub environment it belongs to."""
        found = self.piece["environment"]
        return found["name"] if found.is_mapping else found

    @property
    def may_run_on_windows(self) -> bool:
        """True when its runner is, or can be, a Windows machine."""
        text = " ".join(value.text for _, value in self.piece["runs-on"].walk()).lower()
        if "matrix." in text:
            text += " ".join(value.text for _, value in self.piece["strategy"]["matrix"].walk()).lower()
        return "windows" in text

    @cached_property
    def own_steps(self) -> tuple[Step, ...]:
        """Its steps as written."""
        return tuple(Step(self, place, each) for place, each in enumerate(self.piece["steps"].parts))

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Its steps; the steps of a composite action of the checkout stand behind the one that uses it."""
        found: list[Step] = []
        for step in self.own_steps:
            found.append(step)
            action = self.workflow.tree.action(self.workflow.root, step.uses)
            found += action.steps if action else ()
        return tuple(found)

    def may_run_on(self, event: str) -> bool:
        """False when its condition, or one of a job before it, cannot hold for the event."""
        return all(holds(each.piece["if"].text, event) is not False for each in (self, *self._deciding()))

    def _deciding(self) -> tuple["Job", ...]:
        said = condition(self.piece["if"].text) if self.piece["if"].text else None
        return () if said and said.calls & {"always", "failure", "cancelled"} else self.before


@dataclass(frozen=True, eq=False)
class Workflow:
    """One workflow file."""

    tree: "Tree" = field(repr=False)
    file: str
    root: str
    piece: Piece = field(repr=False)

    @property
    def name(self) -> str:
        """Its name, or its file's."""
        return self.piece["name"].text or self.file

    @cached_property
    def events(self) -> dict[str, Piece]:
        """What starts it, with the filters."""
        found = self.piece["on"]
        if found.is_mapping:
            return dict(found.items)
        return {each.text: Piece(None, each.line) for each in found.parts}

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Its jobs."""
        return {name: Job(self, name, value) for name, value in self.piece["jobs"].items}

    @property
    def is_only_called(self) -> bool:
        """True when other workflows alone start it."""
        return set(self.events) == {"workflow_call"}

    @cached_property
    def callers(self) -> tuple[Job, ...]:
        """The jobs of this checkout that are made of it."""
        return tuple(
            job
            for workflow in self.tree.workflows
            for job in workflow.jobs.values()
            if self.tree.called(workflow.root, job.uses) is self
        )

    @cached_property
    def starts(self) -> dict[str, Piece]:
        """What starts it, directly or through the workflows that call it."""
        found = {name: filters for name, filters in self.events.items() if name != "workflow_call"}
        seen, left = {self.file}, [self]
        while left:
            for job in left.pop().callers:
                if job.workflow.file not in seen:
                    seen.add(job.workflow.file)
                    left.append(job.workflow)
                    for name, filters in job.workflow.events.items():
                        if name != "workflow_call" and job.may_run_on(name):
                            found.setdefault(name, filters)
        return found

    def inputs(self, event: str) -> Piece:
        """The inputs that an event declares."""
        return self.events.get(event, Piece(None, 1))["inputs"]


class Tree:
    """Everything GitHub would read in a checkout."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.unread: list[Unread] = []
        self.submodules = tuple(self._submodules())
        self.idle: list[str] = []
        self.known: dict[tuple[str, str], Any] = {}
        self._actions: dict[str, Action | None] = {}
        self.workflows = tuple(self._workflows())
        self.actions = self._local_actions()

    def _local_actions(self) -> tuple[Action, ...]:
        """The actions of the checkout that stand in `.github` or are used by a workflow."""
        for file in self.checkout.matching("*.github/*/action.yml", "*.github/*/action.yaml"):
            if any(file.startswith(f"{each.root}.github/") for each in self.workflows):
                self.action("", f"./{posixpath.dirname(file)}")
        for workflow in self.workflows:
            for job in workflow.jobs.values():
                _ = job.steps
        found = {each.file: each for each in self._actions.values() if each}
        return tuple(found[file] for file in sorted(found))

    def action(self, root: str, uses: str) -> Action | None:
        """The local action behind `uses: ./…`, when it is there and can be read."""
        if not uses.startswith(("./", "$/")):
            return None
        folder = posixpath.normpath(f"{root}{uses[2:]}")
        if folder not in self._actions:
            names = (f"{folder}/{each}".removeprefix("./") for each in ("action.yml", "action.yaml"))
            file = next((each for each in names if each in self._files), "")
            piece = self._read(file) if file else None
            self._actions[folder] = Action(file, piece) if piece else None
        return self._actions[folder]

    def called(self, root: str, uses: str) -> Workflow | None:
        """The workflow of the checkout behind `uses: ./.github/workflows/…`."""
        if not uses.startswith("./"):
            return None
        file = posixpath.normpath(f"{root}{uses}")
        return next((each for each in self.workflows if each.file == file), None)

    def is_there(self, path: str) -> bool | None:
        """Whether a file or folder is in the checkout; None where nobody can tell: outside, or in a submodule."""
        path = posixpath.normpath(path)
        if path.startswith(("/", "..", "~")) or self.submodule(path):
            return None
        return path == "." or path in self._files or path in self._folders or (self.checkout.root / path).exists()

    def submodule(self, path: str) -> Submodule | None:
        """The submodule that a path leads into."""
        path = posixpath.normpath(path)
        return next((each for each in self.submodules if each.path and f"{path}/".startswith(f"{each.path}/")), None)

    def under(self, folder: str) -> tuple[str, ...]:
        """The files in a folder."""
        folder = posixpath.normpath(folder)
        return tuple(each for each in self.checkout.files if folder == "." or each.startswith(f"{folder}/"))

    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset(self.checkout.files)

    @cached_property
    def _folders(self) -> frozenset[str]:
        found: set[str] = set()
        for file in self.checkout.files:
            folder = posixpath.dirname(file)
            while folder and folder not in found:
                found.add(folder)
                folder = posixpath.dirname(folder)
        return frozenset(found)

    def _workflows(self) -> Iterator[Workflow]:
        for file in self.checkout.files:
            found = _PLACE.fullmatch(file)
            if not found:
                continue
            root = found.group("root")
            if root and not (self.submodule(root) or (self.checkout.root / root / ".git").exists()):
                if not _SAMPLE.search(root):
                    self.idle.append(file)
                continue
            piece = self._read(file)
            if piece:
                yield Workflow(self, file, root, piece)

    def _read(self, file: str) -> Piece | None:
        try:
            text = self.checkout.text(file)
        except OSError as error:
            self.unread.append(Unread(file, 0, f"cannot be read: {error.strerror}"))
            return None
        marker = re.search(r"^(<{7}|>{7})( |$)", text, re.MULTILINE)
        if marker:
            self.unread.append(Unread(file, text.count("\n", 0, marker.start()) + 1, "holds a merge marker"))
            return None
        documents, mistake = read_yaml(text)
        if mistake:
            self.unread.append(Unread(file, *mistake))
            return None
        if len(documents) != 1:
            self.unread.append(Unread(file, 1, "is empty" if not documents else "holds more than one document"))
            return None
        piece = Piece(documents[0][0], 1)
        if not piece.is_mapping:
            self.unread.append(Unread(file, 1, "is no mapping"))
            return None
        return piece

    def _submodules(self) -> Iterator[Submodule]:
        for file in self.checkout.matching(".gitmodules", "*/.gitmodules"):
            if "/" not in file:
                yield from self._sections(file)

    def _sections(self, file: str) -> Iterator[Submodule]:
        name, start, keys = "", 0, list[tuple[str, str, int]]()
        for number, line in enumerate(self.checkout.found(file).lstrip("\ufeff").splitlines(), start=1):
            text = re.sub(r"(^|\s)[#;].*", "", line).strip()
            head = re.fullmatch(r'\[submodule\s+"([^"]*)"\]', text)
            pair = re.fullmatch(r"([A-Za-z][\w-]*)\s*=\s*(.*)", text)
            if head:
                if start:
                    yield Submodule(name, file, start, tuple(keys))
                name, start, keys = head.group(1), number, []
            elif pair and start:
                keys.append((pair.group(1).lower(), pair.group(2).strip().strip('"'), number))
            elif text:
                self.unread.append(
                    Unread(file, number, f"has a line that is neither a section nor a value: {text[:40]!r}")
                )
        if start:
            yield Submodule(name, file, start, tuple(keys))


def _known(event: str) -> dict[tuple[str, ...], Value]:
    """What can be said of GitHub's contexts before a run that an event starts."""
    found: dict[tuple[str, ...], Value] = {("github", "event_name"): event}
    if event == "pull_request":
        found[("github", "ref")] = "refs/pull/0/merge"
        found[("github", "ref_name")] = "0/merge"
    return found


def holds(text: str, event: str) -> bool | None:
    """Whether a condition holds for an event; None when that depends on the run."""
    if not text:
        return True
    facts = _known(event)

    def read(reference: Reference) -> Value:
        names = tuple(each.lower() for each in reference.names)
        if names in facts:
            return facts[names]
        if event not in BY_HAND and (names[0] == "inputs" or names[:3] == ("github", "event", "inputs")):
            return None
        return UNKNOWN

    found = value(condition(text).tree, read)
    return None if isinstance(found, Unknown) else truth(found)
