"""Rules for Dockerfiles: an image that builds again tomorrow, fails loudly, keeps no secret and runs in the cluster."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from workspace.preflight import docker_health
from workspace.preflight.checkout import Checkout
from workspace.preflight.docker_context import Context, is_context
from workspace.preflight.docker_ports import Reached, reached
from workspace.preflight.docker_shell import Command, commands, lost, switches, without_password
from workspace.preflight.docker_syntax import Dockerfile, Instruction, Stage, filled, is_dockerfile, parse
from workspace.preflight.finding import Checked, Finding, Report, Rule, Severity
from workspace.preflight.guard import attempted

SYNTAX = Rule(
    "docker/syntax",
    Severity.ERROR,
    "A Dockerfile that cannot be read.",
    "The build refuses it, or runs a broken list as a line of shell.",
    "Correct the line.",
)
UNKNOWN_STAGE = Rule(
    "docker/unknown-stage",
    Severity.ERROR,
    "A copy from a stage that does not come before it.",
    "The builder takes the name for an image and tries to fetch it from a public registry.",
    "Name a stage that stands above.",
)
BASE = Rule(
    "docker/base-not-pinned",
    Severity.RISK,
    "A base image, or one that is copied from, without a version.",
    "The same commit builds another image tomorrow; what dev tried is not what prod gets.",
    "Write a tag with a version, or a digest.",
)
ROOT = Rule(
    "docker/runs-as-root",
    Severity.RISK,
    "An image that runs as root.",
    "Pods that ask for runAsNonRoot refuse to start it; elsewhere a break-in owns the container.",
    "Set USER to a number other than 0 in the last stage.",
)
HEALTH = Rule(
    "docker/no-health-check",
    Severity.RISK,
    "An image that cannot say whether it is well.",
    "A chain image whose health was never true was noticed in the cluster only; a check shows it before the push.",
    "Add a HEALTHCHECK that asks the port the program serves.",
)
COMPILER = Rule(
    "docker/compiler-shipped",
    Severity.RISK,
    "Build tools in the image that runs.",
    "They make it several times larger and give a break-in what it needs.",
    "Build in a stage of its own and copy the result, or remove the tools in the same RUN.",
)
FAILURE = Rule(
    "docker/failure-lost",
    Severity.ERROR,
    "A RUN that succeeds although a command in it failed.",
    "A build that was allowed to fail made an image with an empty dist, and nobody noticed until the rollout.",
    "Join commands with &&, or begin with `set -eu` and use a SHELL with pipefail.",
)
SOURCE = Rule(
    "docker/source-missing",
    Severity.ERROR,
    "A copy of something that is not there to be copied.",
    "The build ends at that line, after all the stages before it.",
    "Correct the path or the ignore file; a folder of another repository stands in .gitmodules.",
)
CONTEXT = Rule(
    "docker/no-ignore-file",
    Severity.RISK,
    "A copy of a whole repository without an ignore file.",
    ".git, .env and what was built on this machine end up in the image, and any change throws the cache away.",
    "Add a .dockerignore, or NAME.dockerignore beside a Dockerfile called NAME.",
)
SECRET = Rule(
    "docker/secret",
    Severity.ERROR,
    "A secret in the image.",
    "ENV and ARG stay in the image's history, which everybody who can pull it can read.",
    "Use RUN --mount=type=secret for the build, and the cluster's secrets at run time.",
)
PORT = Rule(
    "docker/port",
    Severity.ERROR,
    "A port that manifests call and the image does not serve.",
    "An image that served gRPC on 50051 was probed on 8545 and never became ready.",
    "Let EXPOSE, the program and the manifest's containerPort name the same port.",
)
OFFERED = Rule(
    "docker/service-port",
    Severity.RISK,
    "A port that a Service offers and the image behind it does not serve.",
    "A chain image that spoke gRPC alone stood behind a load balancer for peers: every connection was refused.",
    "Let targetPort be a port that the image exposes, or drop the port from the Service.",
)
ADD = Rule(
    "docker/add-without-checksum",
    Severity.RISK,
    "A download that nobody compares with anything.",
    "Whoever holds the address puts what they like into the image.",
    "Use ADD --checksum=sha256:…, or a package.",
)
PACKAGES = Rule(
    "docker/package-lists",
    Severity.RISK,
    "Packages installed in a way that ages or fattens the image.",
    "An apt-get update of its own is cached and installs outdated packages; lists that stay make the image larger.",
    "Update, install with --yes --no-install-recommends and remove /var/lib/apt/lists in one RUN; apk add --no-cache.",
)

RULES: tuple[Rule, ...] = (
    SYNTAX, UNKNOWN_STAGE, BASE, ROOT, HEALTH, COMPILER, FAILURE, SOURCE, CONTEXT, SECRET, PORT, OFFERED, ADD,
    PACKAGES,
)  # fmt: skip

# The container that an editor opens for a developer, which nobody deploys.
_WORKPLACE = re.compile(r"(^|/)\.(devcontainer|gitpod)[/.]")
_OF_WHAT_RUNS = frozenset((ROOT, HEALTH, COMPILER, PACKAGES))
_TOOLS = frozenset((
    "gcc", "g++", "make", "build-essential", "build-base", "clang", "cmake", "cargo", "rustc", "rust", "golang", "go",
    "default-jdk", "python3-dev", "gcc-c++",
))  # fmt: skip
_BUILDERS = frozenset(("sdk", "golang", "rust", "maven", "gradle", "gcc"))
# Images that have a user of their own.
_UNPRIVILEGED = re.compile(
    r"nonroot|unprivileged|chiseled|\bbitnami/|\bcgr\.dev/chainguard/|\bgrafana/|(^|/)prom/", re.IGNORECASE
)
# Images that others copy a program from, without a repository in their name.
_OFTEN_COPIED = frozenset((
    "alpine", "busybox", "caddy", "composer", "debian", "docker", "golang", "maven", "nginx", "node", "php", "postgres",
    "python", "ruby", "rust", "traefik", "ubuntu", "vault",
))  # fmt: skip
# Releases of distributions that are known by a name.
_RELEASES = frozenset((
    "jessie", "stretch", "buster", "bullseye", "bookworm", "trixie", "forky", "trusty", "xenial", "bionic", "focal",
    "jammy", "noble", "oracular", "plucky", "questing",
))  # fmt: skip
_SECRET = re.compile(
    r"(PASSWORD|PASSWD|_PASS|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|ACCOUNT_?KEY|CONNECTION_?STRING|CREDENTIALS?)"
    r"(_?(VALUE|BASE64))?$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"AccountKey=|SharedAccessKey=|BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_\w{20}|://[^/\s:$]+:[^@\s$]+@"
)
_SECRET_FILE = re.compile(r"(^|/)(\.env|\.netrc|id_rsa|id_ed25519|[^/]*(key\.pem|\.pfx|\.p12|\.key))$")
_PUBLIC = re.compile(r"gpg|pub|asc\b|apt|keyring", re.IGNORECASE)
_CHECKSUMMED = re.compile(r"\.git(#[0-9a-f]{40})")


@dataclass(frozen=True)
class _Image:
    """A Dockerfile of the checkout."""

    checkout: Checkout
    file: str
    reached: tuple[Reached, ...]

    @cached_property
    def parsed(self) -> Dockerfile:
        return parse(self.checkout.text(self.file))

    @cached_property
    def shipped(self) -> tuple[Instruction, ...]:
        """The instructions whose layers are in the image, in order."""
        return tuple(each for stage in self.parsed.shipped for each in stage.instructions)

    @property
    def base(self) -> str:
        """The image below all of its layers."""
        return self.parsed.image(self.parsed.shipped[0])

    @property
    def name(self) -> str:
        """What the image is called: the folder of its Dockerfile, or what its file's name adds."""
        *folders, file = self.file.split("/")
        if file.endswith(".Dockerfile"):
            return file.removesuffix(".Dockerfile")
        return file.partition(".")[2] or (folders[-1] if folders else "")

    @property
    def called(self) -> str:
        """The image as a sentence calls it."""
        return f"the image {self.name}" if self.name else "the image"

    @property
    def runs(self) -> bool:
        """False for an image that only carries files to other builds."""
        return bool(self.base != "scratch" or self.last("CMD") or self.last("ENTRYPOINT"))

    @cached_property
    def values(self) -> dict[str, str]:
        """What variables hold in the end, as far as the file says it."""
        pairs = {name: value for each in self.shipped if each.word in ("ARG", "ENV") for name, value in each.pairs}
        return {name: value or self.parsed.arguments.get(name, "") for name, value in pairs.items()}

    def last(self, word: str) -> Instruction | None:
        """The instruction of this sort that counts, which is the last."""
        return next((each for each in reversed(self.shipped) if each.word == word), None)

    def at(self, rule: Rule, line: int, what: str) -> Finding:
        return rule.at(f"{self.file}:{line}", what)


def check(checkout: Checkout) -> Report:
    """Read every Dockerfile of a checkout."""
    files = [each for each in checkout.files if is_dockerfile(each)]
    ports = reached(checkout) if files else ()
    findings = [each for file in files for each in _findings(_Image(checkout, file, ports))]
    wanted = (each for each in findings if not (each.rule in _OF_WHAT_RUNS and _WORKPLACE.search(each.file)))
    return Report((Checked("Dockerfiles", len(files)),), tuple(wanted))


def _findings(image: _Image) -> Iterator[Finding]:
    try:
        dockerfile = image.parsed
    except OSError as error:
        yield SYNTAX.at(image.file, f"the file cannot be read: {error.strerror}")
        return
    yield from (image.at(SYNTAX, each.line, each.what) for each in dockerfile.mistakes)
    if dockerfile.stages:
        yield from attempted(_LOOKS, image)


def _stages(image: _Image) -> Iterator[Finding]:
    for stage in image.parsed.stages:
        for each, name in _taken(image, stage):
            if _looks_local(name) and not is_context(image.checkout, name):
                known = ", ".join(other.name for other in image.parsed.stages if other.name) or "no names"
                yield image.at(UNKNOWN_STAGE, each.line, f"copies from {name!r}, which is no stage above it ({known})")


def _taken(image: _Image, stage: Stage) -> Iterator[tuple[Instruction, str]]:
    """What a stage takes from others that are no stage above it."""
    for each in stage.of("COPY", "ADD", "RUN"):
        yield from ((each, name) for name in each.origins if not image.parsed.named(name, stage))


def _looks_local(name: str) -> bool:
    """True for what can only be meant as a stage, or as a context of the build."""
    return not re.search(r"[/:@$]", name) and name not in _OFTEN_COPIED


def _bases(image: _Image) -> Iterator[Finding]:
    for stage in image.parsed.stages:
        name = image.parsed.image(stage)
        if "$" in name:
            yield image.at(BASE, stage.line, f"the base image {name} is whatever the build passes: it has no default")
        elif name != "scratch" and not image.parsed.named(name, stage) and _moves(name):
            yield image.at(BASE, stage.line, f"the base image {name} has {_moves(name)}")
        for each, other in _taken(image, stage):
            if "$" not in other and not _looks_local(other) and _moves(other):
                what = f"the image {other}, which is copied from, has {_moves(other)}"
                yield image.at(BASE, each.line, what)


def _moves(name: str) -> str:
    """Why an image may be another one tomorrow, or nothing."""
    tag = name.rsplit("/", 1)[-1].partition(":")[2]
    if "@sha256:" in name or re.search(r"\d", tag) or _RELEASES & set(re.split(r"[-_.]", tag)):
        return ""
    return f"the tag {tag!r}, which names no version" if tag else "no tag, which means latest"


def _user(image: _Image) -> Iterator[Finding]:
    user = image.last("USER")
    line = user.line if user else image.parsed.stages[-1].line
    name = filled(user.rest, image.values).partition(":")[0].strip("\"'") if user else ""
    if user and name.lower() in ("root", "0", "containeradministrator"):
        yield image.at(ROOT, line, f"{image.called} runs as root: its last USER is {user.rest}")
    elif not user and image.runs and not _UNPRIVILEGED.search(image.base):
        yield image.at(ROOT, line, f"{image.called} runs as root: its last stage sets no USER")


def _health(image: _Image) -> Iterator[Finding]:
    found = image.last("HEALTHCHECK")
    if found and found.rest.upper() == "NONE":
        yield image.at(HEALTH, found.line, f"{image.called} switches its health check off")
    elif image.runs and not found:
        yield image.at(HEALTH, image.parsed.stages[-1].line, f"{image.called} has no HEALTHCHECK")


def _compilers(image: _Image) -> Iterator[Finding]:
    base = image.base.partition("@")[0]
    if {part.partition(":")[0] for part in base.split("/")} & _BUILDERS:
        stage = image.parsed.shipped[0]
        yield image.at(COMPILER, stage.line, f"{image.called} ships everything of {base}, which is made to build with")
    for each in image.shipped:
        tools = sorted({*_installed(each)} & _TOOLS) if each.word == "RUN" else []
        if tools and not re.search(r"\b(apk del|purge|remove)\b", each.rest):
            yield image.at(COMPILER, each.line, f"{image.called} ships build tools: {', '.join(tools)}")


def _installed(run: Instruction) -> Iterator[str]:
    """The packages that a RUN installs, without their versions."""
    for command in _commands(run):
        for program, verb in (
            ("apt-get", "install"),
            ("apt", "install"),
            ("apk", "add"),
            ("yum", "install"),
            ("dnf", "install"),
            ("microdnf", "install"),
            ("tdnf", "install"),
            ("zypper", "install"),
        ):
            if command.program == program and verb in command.own:
                yield from (re.split("[=<>~]", each)[0] for each in command.own if not each.startswith("-"))


def _commands(run: Instruction) -> tuple[Command, ...]:
    if run.listed is not None:
        return ()
    return commands("\n".join((run.rest, *run.heredocs)))


def _failures(image: _Image) -> Iterator[Finding]:
    for stage in image.parsed.stages:
        shell: tuple[str, ...] = ()
        for each in (each for above in image.parsed.lineage(stage)[:-1] for each in above.of("SHELL")):
            shell = each.words
        for each in stage.of("SHELL", "RUN"):
            shell = each.words if each.word == "SHELL" else shell
            script = each.script if each.word == "RUN" else None
            if script and not re.search("powershell|pwsh|cmd", " ".join(shell[:1])):
                text, own = script
                by = own or shell
                found = lost(text, stops=switches(by, "e"), pipes=switches(by, "pipefail"))
                yield from (image.at(FAILURE, each.line, what) for what in found)


def _context(image: _Image) -> Iterator[Finding]:
    context = Context(image.checkout, image.file, image.parsed)
    for each, why in context.missing():
        yield image.at(SOURCE, each.instruction.line, f"{each.instruction.word} of {each.written}, which {why}")
    for each in context.whole():
        what = f"{each.instruction.word} of {each.written} takes everything in it: there is no ignore file"
        yield image.at(CONTEXT, each.instruction.line, what)


def _secrets(image: _Image) -> Iterator[Finding]:
    for stage in image.parsed.stages:
        for each in stage.of("ARG", "ENV"):
            for name, value in each.pairs:
                if _SECRET.search(name) and (value or each.word == "ARG"):
                    yield image.at(SECRET, each.line, f"{each.word} {name} stays in the image's history")
                elif _SECRET_VALUE.search(value):
                    yield image.at(SECRET, each.line, f"the value of {each.word} {name} looks like a secret")
        for each in stage.of("RUN"):
            if _SECRET_VALUE.search("\n".join((each.rest, *each.heredocs))):
                yield image.at(
                    SECRET, each.line, "a line of RUN holds what looks like a secret, and stays in the history"
                )
        for each in stage.of("COPY", "ADD"):
            for path in (path for path in each.words[:-1] if _is_secret_file(path) and not each.flag("from")):
                yield image.at(
                    SECRET, each.line, f"{each.word} puts {path} into the image, which usually holds secrets"
                )


def _is_secret_file(path: str) -> bool:
    """True for a file that usually holds secrets; keys that packages are signed with are public."""
    return bool(_SECRET_FILE.search(path)) and not _PUBLIC.search(path.rpartition("/")[2])


def _ports(image: _Image) -> Iterator[Finding]:
    exposed = {number for each in image.shipped if each.word == "EXPOSE" for number in _exposed(image, each)}
    line = next((each.line for each in image.shipped if each.word == "EXPOSE"), image.parsed.stages[-1].line)
    calls: dict[tuple[Rule, int, str, str], list[str]] = {}
    # An image's name is written small, however its folder is.
    own = [each for each in image.reached if each.image == image.name.lower()]
    probed = {each.port for each in own if each.is_called}
    for each in own:
        if not exposed or each.port in exposed:
            continue
        if each.is_called or each.port not in probed:
            rule = PORT if each.is_called else OFFERED
            calls.setdefault((rule, each.port, each.workload, each.file), []).append(each.by)
    said = ", ".join(map(str, sorted(exposed)))
    for (rule, port, workload, file), callers in calls.items():
        by = " and ".join(callers)
        what = f"the image {image.name} exposes {said}, but {by} of {workload} ({file}) reach port {port}"
        if rule is OFFERED:
            what = f"the image {image.name} exposes {said} and not {port} of {workload} ({file}), the target of {by}"
        yield image.at(rule, line, what)


def _exposed(image: _Image, expose: Instruction) -> Iterator[int]:
    for each in filled(expose.rest, image.values).split():
        first, _, last = each.partition("/")[0].partition("-")
        if first.isdecimal():
            yield from range(int(first), int(last if last.isdecimal() else first) + 1)


def _downloads(image: _Image) -> Iterator[Finding]:
    for stage in image.parsed.stages:
        for each in stage.of("ADD"):
            for source in each.words[:-1]:
                if re.match(r"https?://", source) and not each.flag("checksum") and not _CHECKSUMMED.search(source):
                    yield image.at(ADD, each.line, f"ADD of {without_password(source)} has no --checksum")


def _packages(image: _Image) -> Iterator[Finding]:
    for stage in image.parsed.stages:
        ships = stage in image.parsed.shipped
        said = "\n".join(each.rest for above in image.parsed.lineage(stage) for each in above.of("RUN"))
        for each in stage.of("RUN"):
            found = tuple(_untidy(each, said, ships=ships))
            if found:
                yield image.at(PACKAGES, each.line, "; ".join(found))


def _is_of_files(install: Command) -> bool:
    """True for packages that stand in files of the image, which no list knows."""
    words = [each for each in install.own if not each.startswith("-") and each not in (install.program, "install")]
    return all(each.endswith(".deb") for each in words if "=" not in each)


def _untidy(run: Instruction, said: str, *, ships: bool) -> Iterator[str]:
    found = [each for each in _commands(run) if each.program in ("apt-get", "apt", "apk")]
    installs = [each for each in found if {"install", "add"} & set(each.own)]
    apt = [each for each in installs if each.program != "apk"]
    updates = any("update" in each.own and each.program != "apk" for each in found)
    upgrades = any({"upgrade", "dist-upgrade", "full-upgrade", "build-dep"} & set(each.own) for each in found)
    if updates and not apt and not upgrades:
        yield "apt-get update stands in a RUN of its own, which is cached"
    if apt and not updates and not all(_is_of_files(each) for each in apt):
        yield f"`{apt[0].text}` installs from lists of another layer: apt-get update belongs into the same RUN"
    for each in apt:
        if not re.search(r"(^| )(-[a-zA-Z]*y[a-zA-Z]*|--yes|--assume-yes|-qq)\b", " ".join(each.own)):
            yield f"`{each.text}` asks a question that nobody answers: --yes is missing"
        if ships and "--no-install-recommends" not in each.own and "Install-Recommends" not in said:
            yield f"`{each.text}` also installs what is only recommended: --no-install-recommends is missing"
    if ships and apt and "/var/lib/apt" not in " ".join((run.rest, *run.heredocs, str(run.flags))):
        yield f"`{apt[0].text}` leaves the package lists in the image: remove /var/lib/apt/lists in the same RUN"
    for each in installs:
        if ships and each.program == "apk" and "--no-cache" not in each.own and "/var/cache/apk" not in run.rest:
            yield f"`{each.text}` leaves the package index in the image: --no-cache is missing"


def _asks(image: _Image) -> Iterator[Finding]:
    check = image.last("HEALTHCHECK")
    lacks = docker_health.lacking(image.base, check, image.shipped) if check else ""
    if check and lacks:
        yield image.at(HEALTH, check.line, f"the health check of {image.name} {lacks}")


_LOOKS: tuple[Callable[[_Image], Iterator[Finding]], ...] = (
    _stages, _bases, _user, _health, _compilers, _failures, _context, _secrets, _ports, _downloads, _packages, _asks,
)  # fmt: skip
