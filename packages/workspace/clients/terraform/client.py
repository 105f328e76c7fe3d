"""Terraform as the workspace uses it: one stack at a time, planned, then exactly that plan applied."""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from workspace.clients.terraform import engine as engines
from workspace.clients.terraform import failures, folders, plans
from workspace.clients.terraform.engine import Engine, Finished, Runner, Version
from workspace.clients.terraform.events import Diagnostic, Stream, diagnostic
from workspace.clients.terraform.plans import PlanSummary
from workspace.errors import Broken, Refused, Unsettled
from workspace.work import say_nothing

_INIT_JSON = (1, 10)
_UNFORMATTED = 3
_CHANGES = 2
_PLAN_FILE = "plan.tfplan"
_APPLIED_FILE = "applied"
_PREPARED_FILE = "prepared"
_FOUND_FILE = "found.json"


@dataclass(frozen=True)
class Outputs:
    """The outputs of a stack: values of those anybody may see, names of those nobody may."""

    values: Mapping[str, Any] = field(default_factory=dict)
    sensitive: tuple[str, ...] = ()


@dataclass(frozen=True)
class StateMark:
    """Which state a stack is in: the line it belongs to and a number that grows with every change."""

    lineage: str
    serial: int


@dataclass(frozen=True)
class Applied:
    """What applying a saved plan did; `changes` counts resources, `again` is true when it had been applied before."""

    outputs: Outputs
    changes: int = 0
    failed_checks: tuple[str, ...] = ()
    again: bool = False


class Terraform:
    """The Terraform command; may be shared between threads.

    `backend` says where states are: one backend type and its settings, in which `{key}` stands for the key of a stack's
    state. Where no setting holds `{key}`, the key itself is added (a local `path` is then taken as the folder).
    `environment` is all that Terraform sees beside PATH, HOME, locale, proxies and certificates. An engine in
    `programs` goes before one on PATH, and that before the one inside the wheel, unless one is named: a saved plan is
    only understood by the version that made it. `cli_configuration` replaces the private, empty one, for mirrors.
    """

    def __init__(
        self,
        *,
        backend: Mapping[str, Mapping[str, Any]],
        environment: Mapping[str, str] | None = None,
        programs: Path | None = None,
        engine: Engine | None = None,
        plugin_cache: Path | None = None,
        cli_configuration: str = "",
        deadline_seconds: float = engines.DEADLINE_SECONDS,
        grace_seconds: float = engines.GRACE_SECONDS,
    ) -> None:
        self._backend = backend
        self._environment = dict(environment or {})
        self._programs, self._engine = programs, engine
        self._plugin_cache = plugin_cache
        self._cli_configuration = cli_configuration or "provider_installation {\n  direct {}\n}\n"
        self._runner = Runner(deadline_seconds=deadline_seconds, grace_seconds=grace_seconds)

    @cached_property
    def _found(self) -> tuple[Engine, Version]:
        return engines.find([self._engine] if self._engine else engines.candidates(self._programs))

    @property
    def engine(self) -> Engine:
        """The engine that is used, found at the first need."""
        return self._found[0]

    def version(self) -> Version:
        """The engine's version and where it came from."""
        return self._found[1]

    def stack(
        self,
        *,
        definitions: Path,
        root: str,
        work: Path,
        key: str = "",
        variables: Mapping[str, Any] | None = None,
        adopts: Mapping[str, str] | None = None,
        lock: str = "",
        say: Callable[[str], None] = say_nothing,
    ) -> "Stack":
        """A stack at `definitions/root`, worked on in the private folder `work`, with its state under `key`.

        `adopts` names, by address, what exists already under which id and is to be taken over instead of made. `lock`
        is the lock file of its providers, where the definitions bring none; without any Terraform chooses anew.
        """
        return Stack(self, definitions, root, work, key, dict(variables or {}), dict(adopts or {}), say, lock)

    def validate(self, *, definitions: Path, root: str, work: Path) -> tuple[Diagnostic, ...]:
        """Everything Terraform finds wrong or doubtful in a stack, without asking any state or cloud."""
        stack = self.stack(definitions=definitions, root=root, work=work)
        with folders.alone(folders.private(work)):
            stack.prepare(with_state=False)
            done = stack.run(["validate", "-json"])
        try:
            told = json.loads(done.printed[done.printed.index("{") :])["diagnostics"]
        except (ValueError, KeyError) as error:
            raise Broken(
                f"terraform validate of stack {root} gave no answer: {done.complaint.strip()[:300]}"
            ) from error
        return tuple(diagnostic(each, str) for each in told)

    def fmt_check(self, folder: Path) -> tuple[str, ...]:
        """The files below the folder that are not formatted as Terraform formats; nothing is written."""
        arguments = ["fmt", "-check", "-recursive", "-list=true", "-write=false"]
        done = self.run(arguments, folder=folder, environment=engines.environment({}), scratch=None)
        if done.code not in (0, _UNFORMATTED):
            raise Refused(f"terraform fmt cannot read {folder}: {' '.join(done.complaint.split())[:300]}")
        return tuple(sorted(done.printed.split()))

    def interrupt(self) -> int:
        """Ask every running command, once, to finish what it is doing and stop; returns how many were asked."""
        return self._runner.interrupt()

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        scratch: Path | None,
        guarded: bool = False,
        line: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run one command in a folder, to its end; its exit code is the process's own."""
        done = self._runner.run(
            self.engine,
            arguments,
            folder=folder,
            environment=environment,
            scratch=scratch or Path(os.environ.get("TMPDIR", "/tmp")),  # noqa: S108 - the file there has no name
            guarded=guarded,
            line=line,
        )
        if done.code < 0:
            raise engines.died(arguments[0], done.code)
        return done

    def backend_for(self, key: str) -> Mapping[str, Mapping[str, Any]]:
        """The backend of one stack."""
        return {name: _placed(name, settings, key) for name, settings in self._backend.items()}

    def environment_for(self, work: Path) -> dict[str, str]:
        """The environment of commands in one work folder."""
        configuration = work / "terraform.rc"
        folders.write_private(configuration, self._cli_configuration)
        private = {"TF_DATA_DIR": str(folders.private(work / "data")), "TF_CLI_CONFIG_FILE": str(configuration)}
        if self._plugin_cache:
            self._plugin_cache.mkdir(parents=True, exist_ok=True)
            private["TF_PLUGIN_CACHE_DIR"] = str(self._plugin_cache)
        return engines.environment({**self._environment, **private})

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers that are running already and are not to be installed."""
        return tuple(sorted(self._reattached))

    @property
    def _reattached(self) -> Mapping[str, Any]:
        told: dict[str, Any] = json.loads(self._environment.get("TF_REATTACH_PROVIDERS") or "{}")
        return told

    def require_providers(self) -> None:
        """Unsettled while a provider that should be running does not answer.

        Terraform must not find that out: it would kill the process it believes to be the provider's.
        """
        for name, told in self._reattached.items():
            address = (told.get("Addr") or {}).get("String", "")
            if not engines.answers((told.get("Addr") or {}).get("Network", ""), address):
                raise Unsettled(f"The provider {name} at {address} does not answer: is the rehearsal still open?")

    @contextlib.contextmanager
    def installing(self) -> Iterator[None]:
        """Hold the plugin cache while providers are installed; Terraform itself does not guard it."""
        if not self._plugin_cache:
            yield
            return
        with (self._plugin_cache / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _placed(name: str, settings: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    texts = [value for value in settings.values() if isinstance(value, str)]
    if any("{key}" in value for value in texts):
        return {
            word: value.replace("{key}", key) if isinstance(value, str) else value for word, value in settings.items()
        }
    if name == "local":
        return {**settings, "path": str(Path(settings.get("path", ".")) / key)}
    return {**settings, "key": key}


class Stack:
    """One stack in its private folder; one thread at a time."""

    def __init__(
        self,
        terraform: Terraform,
        definitions: Path,
        root: str,
        work: Path,
        key: str,
        variables: Mapping[str, Any],
        adopts: Mapping[str, str],
        say: Callable[[str], None],
        lock: str = "",
    ) -> None:
        self._terraform = terraform
        self._definitions, self._root, self._work, self._key = definitions, root, work, key
        self._variables, self._adopts, self._lock, self._say = variables, adopts, lock, say
        self._folder = work / "definitions" / root
        self._secrets: set[str] = set()

    @property
    def name(self) -> str:
        """The stack's short name."""
        return Path(self._root).name or self._definitions.name

    @property
    def plan_file(self) -> Path:
        """Where the saved plan is; it holds secrets and only its owner can read it."""
        return self._work / _PLAN_FILE

    def plan(self) -> PlanSummary:
        """Compare definitions, state and cloud, and save the plan of what would change.

        Changes nothing. Refused for what is wrong in the definitions or variables, unsettled while the state is locked.
        """
        with folders.alone(folders.private(self._work)):
            self.plan_file.unlink(missing_ok=True)
            self.prepare()
            told, code = self._plan()
            names = failures.undeclared(told.diagnostics)
            if names:
                raise Refused(f"Stack {self.name} has no variable {', '.join(names)}; declare it or do not set it.")
            return self._summary(told, has_changes=code == _CHANGES)

    def apply(self, digest: str) -> Applied:
        """Apply exactly the saved plan with this digest; refused when the plan that is there is another one.

        A plan that was applied before is not applied again. Unsettled when the state moved on since it was made.
        """
        with folders.alone(folders.private(self._work)):
            if digest and self._applied == digest:
                return Applied(self.outputs(), again=True)
            if not digest or folders.digest_of(self.plan_file) != digest:
                raise Refused(f"The saved plan of stack {self.name} is not the one that was previewed: plan it again.")
            self._learn_secrets()
            self._secrets |= plans.secrets(self._json(["show", "-json", str(self.plan_file)]))
            told = replace(self._stream(), announces=False)
            arguments = ["apply", "-input=false", "-json", str(self.plan_file)]
            done = self.run(arguments, guarded=True, line=told.line)
            if done.code != 0:
                raise failures.translate(self.name, "apply", told.errors, done.code, done.complaint)
            folders.write_private(self._work / _APPLIED_FILE, digest)
            self.plan_file.unlink(missing_ok=True)
            return Applied(_outputs(told.outputs), told.changed, failures.failed_checks(told.diagnostics))

    def lock(self) -> str:
        """The lock file as it is used, with the providers that were chosen; empty where none had to be."""
        file = self._folder / folders.LOCK_FILE
        return file.read_text() if file.exists() else ""

    def found(self) -> dict[str, str]:
        """What was found to exist although no state has it, until that is applied: its id by its address."""
        try:
            told: dict[str, str] = json.loads((self._work / _FOUND_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return told

    def note_found(self, ids: Mapping[str, str]) -> None:
        """Keep for the next plan what was found to exist; an empty one forgets it."""
        file = self._work / _FOUND_FILE
        if ids:
            folders.write_private(file, json.dumps(dict(ids), indent=1, sort_keys=True))
        else:
            file.unlink(missing_ok=True)

    def force_unlock(self, lock: str) -> None:
        """Release the lock with exactly this id; broken, with what Terraform said, where that is not the lock's."""
        with folders.alone(folders.private(self._work)):
            done = self.run(["force-unlock", "-force", lock], guarded=True)
        if done.code != 0:
            said = " ".join(self.mask(done.complaint).split())[:300]
            raise Broken(f"The lock {lock} of stack {self.name} could not be released: {said}")

    def outputs(self) -> Outputs:
        """The outputs as the state has them."""
        self.prepare_if_new()
        return _outputs(self._json(["output", "-json"]))

    def state(self) -> StateMark:
        """Which state the stack is in; an empty lineage where nothing was applied yet."""
        self.prepare_if_new()
        told = self._json(["state", "pull"])
        return StateMark(str(told.get("lineage", "")), int(told.get("serial", 0)))

    def lineage(self) -> str:
        """Which line of states the stack is in, where its backend is now; empty where there is no state.

        Asked of the backend itself; a file on this machine is read without starting the engine.
        """
        backend = self._terraform.backend_for(self._key)
        if "local" in backend:
            return self._lineage_in(self._folder / str(backend["local"]["path"]))
        with folders.alone(folders.private(self._work)):
            if folders.has_backend(self._folder, backend):
                self.prepare_if_new()
            else:
                self.prepare()
            return str(self._json(["state", "pull"]).get("lineage", ""))

    def show(self) -> dict[str, Any]:
        """The saved plan as Terraform tells it, without anything sensitive."""
        return plans.scrub(self._json(["show", "-json", str(self.plan_file)]))

    def prepare_if_new(self) -> None:
        """Prepare the folder unless that was done before."""
        if not (self._work / _PREPARED_FILE).exists():
            self.prepare()

    def prepare(self, *, with_state: bool = True, anew: bool = False) -> None:
        """Mirror the definitions, write backend and variables, and run `init` where something changed since then."""
        folders.private(self._work)
        folders.mirror(self._definitions, self._root, self._work / "definitions", self._lock)
        if with_state:
            folders.write_backend(self._folder, self._terraform.backend_for(self._key))
            folders.write_variables(self._folder, self._variables)
            folders.write_adoptions(self._folder, self._adopts)
            self._learn_secrets()
        stamp = self._work / _PREPARED_FILE
        if anew or not stamp.exists() or stamp.read_text() != self._fingerprint(with_state):
            stamp.unlink(missing_ok=True)
            self._init(with_state)
            folders.write_private(stamp, self._fingerprint(with_state))

    def run(
        self, arguments: Sequence[str], *, guarded: bool = False, line: Callable[[str], None] | None = None
    ) -> Finished:
        """Run one command in the stack's folder."""
        self._terraform.require_providers()
        environment = self._terraform.environment_for(self._work)
        return self._terraform.run(
            arguments,
            folder=self._folder,
            environment=environment,
            scratch=self._work,
            guarded=guarded,
            line=line,
        )

    def mask(self, text: str) -> str:
        """The text without any secret this stack is known to hold."""
        return plans.hide_in(text, sorted(self._secrets, key=len, reverse=True))

    def _lineage_in(self, file: Path) -> str:
        try:
            return str(json.loads(file.read_text() or "{}").get("lineage", ""))
        except FileNotFoundError:
            return ""
        except ValueError as error:
            raise Broken(f"The state of stack {self.name} in {file} is no JSON: bring it back from a copy.") from error
        except OSError as error:
            raise Broken(f"The state of stack {self.name} in {file} cannot be read: {error.strerror}.") from error

    @property
    def _applied(self) -> str:
        file = self._work / _APPLIED_FILE
        return file.read_text() if file.exists() else ""

    def _fingerprint(self, with_state: bool) -> str:
        settled = [self._terraform.engine.identity, *self._terraform.providers, str(with_state)]
        return folders.fingerprint(self._work / "definitions", "\n".join(settled))

    def _init(self, with_state: bool) -> None:
        told = self._stream()
        arguments = ["init", "-input=false", "-reconfigure" if with_state else "-backend=false"]
        speaks_json = self._terraform.version().parts >= _INIT_JSON
        arguments.append("-json" if speaks_json else "-no-color")
        with self._terraform.installing():
            done = self.run(arguments, guarded=True, line=told.line)
        if done.code != 0:
            told.text.append(done.complaint)
            raise failures.translate(self.name, "init", told.errors, done.code, done.complaint)

    def _plan(self) -> tuple[Stream, int]:
        """Plan; when Terraform asks for `init` after all, do that and plan once more."""
        told, done = self._plan_once()
        if done.code == 1 and failures.is_unprepared(told.errors):
            self.prepare(anew=True)
            told, done = self._plan_once()
        if done.code not in (0, _CHANGES):
            raise failures.translate(self.name, "plan", told.errors, done.code, done.complaint)
        return told, done.code

    def _plan_once(self) -> tuple[Stream, Finished]:
        told = self._stream()
        arguments = ["plan", "-input=false", "-detailed-exitcode", "-json", f"-out={self.plan_file}"]
        return told, self.run(arguments, guarded=True, line=told.line)

    def _summary(self, told: Stream, *, has_changes: bool) -> PlanSummary:
        if has_changes:
            shown = self._json(["show", "-json", str(self.plan_file)])
            self._secrets |= plans.secrets(shown)
            summary = replace(plans.summary(shown), file=self.plan_file, digest=folders.digest_of(self.plan_file))
        else:
            self.plan_file.unlink(missing_ok=True)
            summary = PlanSummary(drift=tuple(plans.told(*each) for each in told.drift))
        warnings = tuple(str(each) for each in told.diagnostics if not each.is_error)
        return replace(summary, warnings=warnings, failed_checks=failures.failed_checks(told.diagnostics))

    def _json(self, arguments: Sequence[str]) -> dict[str, Any]:
        done = self.run(arguments)
        if done.code != 0:
            told = self._stream()
            told.text.append(done.complaint)
            raise failures.translate(self.name, arguments[0], told.errors, done.code, self.mask(done.complaint))
        try:
            told_json: dict[str, Any] = json.loads(done.printed or "{}")
        except ValueError as error:
            raise Broken(f"terraform {arguments[0]} of stack {self.name} printed no JSON") from error
        return told_json

    def _stream(self) -> Stream:
        return Stream(say=self._say, mask=self.mask)

    def _learn_secrets(self) -> None:
        hidden = folders.sensitive_variables(self._folder)
        for name in hidden & self._variables.keys():
            self._secrets |= plans.worth_hiding(self._variables[name])


def _outputs(told: Mapping[str, Any]) -> Outputs:
    shown = {name: each.get("value") for name, each in told.items() if not each.get("sensitive")}
    return Outputs(shown, tuple(sorted(name for name, each in told.items() if each.get("sensitive"))))
