"""Kustomize: an overlay folder in, a list of Kubernetes objects out, by whichever engine is at hand.

Engines, in this order: `kubectl kustomize` of kubectl 1.21 or later, the `kustomize` program, and the Go library of the
pykustomize wheel, which runs in a child process because a panic in it would end ours. All three are Kustomize itself.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workspace.errors import Broken, Refused

ENGINES = ("kubectl", "kustomize", "pykustomize")
_OLDEST_KUBECTL = (1, 21)
_PYTHON_WHEEL = "pykustomize"

# One JSON line per folder. The library writes its warnings to the process's own stderr, so that is caught per folder.
_CHILD = """
import json, os, sys, tempfile
from pykustomize._ffi import ffi, get_library, string_from_c
library, out, options = get_library(), os.fdopen(os.dup(1), "w"), b'{"load_restrictions": 0, "reorder": "unspecified"}'
os.dup2(2, 1)
for folder in sys.argv[1:]:
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        text = ffi.new("char**")
        failed = library.pykustomize_build(folder.encode(), options, text)
        error = ffi.string(library.pykustomize_last_error()).decode() if failed else ""
        said.seek(0)
        warnings = said.read().decode(errors="replace")
    answer = {"text": "" if failed else string_from_c(text[0]), "error": error, "warnings": warnings}
    print(json.dumps(answer), file=out, flush=True)
"""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: a time is a text, and so is an equals sign."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Engine:
    """A program that renders: which one, which version, and where it stands."""

    name: str
    version: str
    program: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} at {self.program}"


@dataclass(frozen=True)
class _Answer:
    """What an engine said about one folder."""

    text: str
    error: str
    warnings: str


class Kustomize:
    """Renders overlay folders with the first engine found; may be used from several threads.

    `path` is searched for programs instead of PATH when it is given; `engines` narrows the choice. Nothing of the
    user's own configuration is read. A folder none of whose files changed is not rendered twice.
    """

    def __init__(
        self, *, path: str | None = None, engines: Sequence[str] = ENGINES, timeout_seconds: float = 60.0
    ) -> None:
        self._path = os.environ.get("PATH", "") if path is None else path
        self._engines = tuple(engines)
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._known: dict[tuple[Path, str], _Answer] = {}

    @property
    def engine(self) -> Engine:
        """The engine in use; Refused with what was looked for when there is none."""
        with self._lock:
            if self._engine is None:
                self._engine = self._find()
            return self._engine

    def provenance(self) -> str:
        """One phrase for reports: which program renders, in which version."""
        return str(self.engine)

    def render(self, folder: Path, say: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
        """The objects of one overlay, in Kustomize's order; warnings go to `say`. Refused when it does not render."""
        return self._objects(folder, self._answers([folder])[0], say)

    def render_all(self, folders: Sequence[Path]) -> Mapping[Path, list[dict[str, Any]] | Refused]:
        """Several overlays at once, much faster than one by one; a folder that does not render holds its Refused."""
        rendered: dict[Path, list[dict[str, Any]] | Refused] = {}
        for folder, answer in zip(folders, self._answers(folders), strict=True):
            try:
                rendered[folder] = self._objects(folder, answer, None)
            except Refused as refusal:
                rendered[folder] = refusal
        return rendered

    def _find(self) -> Engine:
        passed_over: list[str] = []
        for name in self._engines:
            engine = _FINDERS[name](self, passed_over)
            if engine:
                return engine
        raise Refused(
            "nothing here can render Kustomize overlays: put kubectl 1.21 or later or kustomize on PATH, or install "
            f"the Python package {_PYTHON_WHEEL}" + "".join(f"; {each}" for each in passed_over)
        )

    def _find_kubectl(self, passed_over: list[str]) -> Engine | None:
        program = shutil.which("kubectl", path=self._path)
        if not program:
            return None
        said = self._run([program, "version", "--client", "-o", "json"])
        versions = _parsed(said.stdout)
        version = str(versions.get("clientVersion", {}).get("gitVersion", ""))
        if _numbers(version) < _OLDEST_KUBECTL:
            passed_over.append(f"{program} is {version or 'of no known version'}, too old to render")
            return None
        kustomize = versions.get("kustomizeVersion", "")
        return Engine("kubectl", f"{version} (kustomize {kustomize})" if kustomize else version, program)

    def _find_kustomize(self, passed_over: list[str]) -> Engine | None:
        program = shutil.which("kustomize", path=self._path)
        if not program:
            return None
        said = self._run([program, "version"])
        if said.returncode:
            passed_over.append(f"{program} does not tell its version")
            return None
        return Engine("kustomize", said.stdout.strip(), program)

    def _find_wheel(self, passed_over: list[str]) -> Engine | None:
        if importlib.util.find_spec(_PYTHON_WHEEL) is None:
            return None
        return Engine("pykustomize", importlib.metadata.version(_PYTHON_WHEEL), sys.executable)

    def _answers(self, folders: Sequence[Path]) -> list[_Answer]:
        for folder in folders:
            if not folder.is_dir():
                raise Refused(f"there is no overlay folder {folder}")
        keys = {folder: (folder, _fingerprint(folder)) for folder in folders}
        new = [folder for folder in keys if keys[folder] not in self._known]
        fresh = dict(zip(new, self._new_answers(new), strict=True))
        self._known |= {keys[folder]: answer for folder, answer in fresh.items() if not answer.error}
        return [fresh[folder] if folder in fresh else self._known[keys[folder]] for folder in folders]

    def _new_answers(self, folders: Sequence[Path]) -> list[_Answer]:
        if not folders:
            return []
        if self.engine.name == "pykustomize":
            return self._answers_of_wheel(folders)
        with ThreadPoolExecutor(max_workers=min(4, len(folders) or 1)) as pool:
            return list(pool.map(self._answer_of_program, folders))

    def _answer_of_program(self, folder: Path) -> _Answer:
        engine = self.engine
        said = self._run([engine.program, "kustomize" if engine.name == "kubectl" else "build", str(folder)])
        if said.returncode:
            return _Answer("", said.stderr or f"exit code {said.returncode}", "")
        return _Answer(said.stdout, "", said.stderr)

    def _answers_of_wheel(self, folders: Sequence[Path]) -> list[_Answer]:
        command = [self.engine.program, "-I", "-c", _CHILD]
        said = self._run([*command, *(str(folder) for folder in folders)])
        answers = [_Answer(**json.loads(line)) for line in said.stdout.splitlines()]
        if len(answers) == len(folders):
            return answers
        if len(folders) == 1:
            return [_Answer("", f"the library ended with exit code {said.returncode}: {said.stderr}", "")]
        # The folder after the last answer ended the library; it is asked alone, and so is each one behind it.
        rest = [self._answers_of_wheel([folder])[0] for folder in folders[len(answers) :]]
        return [*answers, *rest]

    def _objects(self, folder: Path, answer: _Answer, say: Callable[[str], None] | None) -> list[dict[str, Any]]:
        if answer.error:
            raise Refused(f"{folder} does not render with {self.engine.name}: {_one_line(answer.error)}")
        for warning in _warnings(answer.warnings):
            if say:
                say(f"kustomize warns about {folder.name}: {warning}")
        try:
            objects = list(_flat(yaml.load_all(answer.text, Loader=_Loader)))
        except yaml.YAMLError as error:
            raise Broken(f"{self.engine} rendered {folder} into what is not YAML: {_one_line(str(error))}") from error
        if not objects:
            raise Refused(f"{folder} renders no object at all")
        return objects

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        # HOME is empty on purpose: preferences and credentials of the person at the keyboard decide nothing here.
        environment = {"PATH": self._path, "HOME": "/nonexistent", "KUBERC": "off"}
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=self._timeout, env=environment, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Broken(f"{command[0]} did not finish within {self._timeout:.0f} s") from error
        except OSError as error:
            raise Refused(f"{command[0]} cannot be started: {error.strerror}") from error


_FINDERS: Mapping[str, Callable[[Kustomize, list[str]], Engine | None]] = {
    "kubectl": Kustomize._find_kubectl,
    "kustomize": Kustomize._find_kustomize,
    "pykustomize": Kustomize._find_wheel,
}


def _flat(documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        if isinstance(document, dict) and document.get("kind", "").endswith("List") and "items" in document:
            yield from document["items"]
        elif document:
            yield document


def _fingerprint(folder: Path) -> str:
    """A digest of everything a folder is made of: its files, and those of the folders it builds on."""
    digest, seen, left = hashlib.sha256(), set(), [folder.resolve()]
    while left:
        place = left.pop()
        if place in seen or not place.exists():
            continue
        seen.add(place)
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_file():
                digest.update(f"{file}\0".encode() + file.read_bytes())
        left += _built_on(place)
    return digest.hexdigest()


def _built_on(folder: Path) -> list[Path]:
    for file in (folder / name for name in ("kustomization.yaml", "kustomization.yml", "Kustomization")):
        if file.is_file():
            try:
                given = yaml.load(file.read_text(), Loader=_Loader)  # noqa: S506 - a safe one
            except (yaml.YAMLError, UnicodeDecodeError):
                return []
            given = given if isinstance(given, dict) else {}
            lists = [given.get(key) for key in ("resources", "bases", "components")]
            named = [each for listed in lists if isinstance(listed, list) for each in listed]
            return [(folder / each).resolve() for each in named if isinstance(each, str) and "://" not in each]
    return []


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _warnings(text: str) -> list[str]:
    lines = (line.strip().removeprefix("# Warning: ") for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def _one_line(text: str) -> str:
    return " ".join(text.removeprefix("error: ").split())[:1000]
