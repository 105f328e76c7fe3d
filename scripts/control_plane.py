"""A real Kubernetes control plane for `make conformance`, built once from Debian 12's source package.

No package index carries its binaries, but the source package is the complete tree of 1.20.2 with everything it needs,
and Debian's Go compiles it offline. Nothing is installed and nothing of the machine's is changed: packages are fetched
through apt from the machine's own Debian mirror into a private folder, checked by apt against Debian's signatures, and
unpacked there. What comes out stays in the user's cache: about 250 MB. The build takes five to ten minutes of one
processor and 3 GB while it runs; one that was interrupted goes on where it stopped.
"""

import fcntl
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

VERSION = "1.20.2"
SUITE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCE = "kubernetes"
GO = ("golang-1.19-go", "golang-1.19-src")
# What the tree's own makefile calls and what the control plane keeps its objects in, with the libraries they load.
TOOLS = ("rsync", "libpopt0", "libxxhash0", "jq", "libjq1", "libonig5", "etcd-server")
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
ROOM = 4 * 1024**3
NEEDED = ("apt-get", "dpkg", "make", "tar", "bash")


class Failed(Exception):
    """The build cannot go on; the sentence says what to do."""


@dataclass(frozen=True)
class ControlPlane:
    """Where the built programs are: `etcd`, `kube-apiserver`, `kube-controller-manager`, `kube-scheduler`."""

    folder: Path

    def program(self, name: str) -> Path:
        """The file of one program."""
        return self.folder / "bin" / name

    @property
    def built(self) -> bool:
        """Whether every program is there; each is put there whole, so one that is there works."""
        return all(self.program(name).is_file() for name in ("etcd", *PROGRAMS))


@dataclass(frozen=True)
class Mirror:
    """The addresses and the key with which this machine reads Debian."""

    addresses: tuple[str, ...]
    key: str


def here() -> ControlPlane:
    """The control plane of this user's cache, built or not."""
    return ControlPlane(platformdirs.user_cache_path("mystira-workspace") / "control-plane" / VERSION)


def main() -> int:
    """Build what is missing; one sentence and a non-zero exit when it cannot be done."""
    plane = here()
    if plane.built:
        say(f"Kubernetes {VERSION} is built: {plane.folder}")
        return 0
    try:
        with alone(plane.folder):
            if not plane.built:
                build(plane)
    except (Failed, OSError) as error:
        sys.stderr.write(f"Kubernetes {VERSION} could not be built: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; run it again, and it goes on where it stopped.\n")
        return 130
    return 0


def build(plane: ControlPlane) -> None:
    """Do every step that was not done before, then throw away what only the build needed."""
    work = plane.folder / "work"
    check_machine(plane.folder)
    steps = planned(plane, work)
    for number, step in enumerate(steps, 1):
        stamp = work / f".done-{step.name}"
        if stamp.exists():
            continue
        started = time.monotonic()
        say(f"{number}/{len(steps)} {step.what} …")
        step.do()
        stamp.touch()
        say(f"{number}/{len(steps)} done in {time.monotonic() - started:.0f} s")
    # Some of Go's files are read-only, their folders too.
    subprocess.run(["chmod", "-R", "u+w", str(work)], check=False)
    shutil.rmtree(work)
    say(f"Kubernetes {VERSION} is built: {plane.folder}")


@dataclass(frozen=True)
class Step:
    """One part of the build: the name under which it is remembered, what is said about it, and how it is done."""

    name: str
    what: str
    do: Callable[[], None]


def planned(plane: ControlPlane, work: Path) -> list[Step]:
    """The steps, in order."""
    return [
        Step("lists", "read the package lists of this machine's Debian mirror", lambda: read_lists(work)),
        Step("fetched", "fetch the source (34 MB) and Go 1.19 (79 MB)", lambda: fetch(work)),
        Step("unpacked", "unpack them", lambda: unpack(work)),
        Step("generated", "generate the code that the source package leaves out (1 to 2 min)", lambda: generate(work)),
        *(Step(name, f"compile {name}{TAKES.get(name, '')}", compiling(plane, work, name)) for name in PROGRAMS),
        Step("etcd", "put etcd beside them", lambda: place(etcd(work), plane.program("etcd"))),
    ]


TAKES = {"kube-apiserver": " (2 to 6 min)", "kube-controller-manager": " (1 to 2 min)"}


def check_machine(folder: Path) -> None:
    """Refuse at once what would fail after minutes."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        raise Failed(f"{', '.join(missing)} not found; it needs a Debian machine with the package make.")
    if (free := shutil.disk_usage(folder).free) < ROOM:
        raise Failed(f"{folder} has {free // 1024**2:,} MB free; {ROOM // 1024**2:,} MB are needed while it builds.")


def read_lists(work: Path) -> None:
    """Let apt read the lists of Debian 12 from the machine's own mirror, into a folder of ours."""
    found = mirror(machine_sources())
    for folder in ("lists/partial", "cache/archives/partial", "sources"):
        (work / "apt" / folder).mkdir(parents=True, exist_ok=True)
    if not Path(found.key).exists():
        raise Failed(f"{found.key} is missing; install Debian's package debian-archive-keyring.")
    lines = ["Types: deb deb-src", f"URIs: {' '.join(found.addresses)}", f"Suites: {SUITE}", "Components: main"]
    (work / "apt" / "sources" / "debian.sources").write_text("\n".join([*lines, f"Signed-By: {found.key}", ""]))
    run(apt(work, "update"), work, "the mirror's package lists could not be read")


def apt(work: Path, *words: str) -> list[str]:
    """A command of apt that knows our source and our folders only, and still the machine's proxy."""
    at = work / "apt"
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": f"{at}/sources",
        "Dir::State::lists": f"{at}/lists",
        "Dir::Cache": f"{at}/cache",
        # As root, apt would read with a user who may not enter this folder.
        "APT::Sandbox::User": "root",
    }
    return [
        "apt-get",
        "--quiet",
        *(part for name, value in options.items() for part in ("-o", f"{name}={value}")),
        *words,
    ]


def machine_sources() -> Iterator[str]:
    """The texts in which the machine says where it reads packages, those of the newer form as they are."""
    folder = Path("/etc/apt")
    for file in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))):
        if file.exists():
            yield from (paragraph(line) for line in file.read_text().splitlines())
    for file in sorted((folder / "sources.list.d").glob("*.sources")):
        yield from re.split(r"\n\s*\n", file.read_text())


def paragraph(line: str) -> str:
    """A line `deb [signed-by=…] address suite components` in the newer form; nothing for another line."""
    found = re.match(
        r"\s*deb(?:-src)?\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<address>\S+)\s+(?P<suite>\S+)\s+(?P<rest>.*)", line
    )
    if found is None:
        return ""
    signed = re.search(r"signed-by=(\S+)", found["options"] or "")
    lines = [f"URIs: {found['address']}", f"Suites: {found['suite']}", f"Components: {found['rest']}"]
    return "\n".join([*lines, *([f"Signed-By: {signed[1]}"] if signed else [])])


def mirror(paragraphs: Iterable[str]) -> Mirror:
    """Where the machine reads Debian's main suite; a machine that does not read Debian is refused."""
    for text in paragraphs:
        fields = {
            name.lower(): value.split() for name, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", text, re.MULTILINE)
        }
        of_debian = any(suite in fields.get("suites", []) for suite in debian_suites())
        if of_debian and "main" in fields.get("components", []) and fields.get("enabled") != ["no"]:
            named = fields.get("signed-by", [""])[0]
            return Mirror(tuple(fields["uris"]), named if named.startswith("/") else str(KEYRING))
    raise Failed(
        "no Debian mirror is named in /etc/apt (sources.list, sources.list.d); run it on Debian 12 or newer, "
        "or take a cluster of your own: make conformance CONFORMANCE_CLUSTER=only with its KUBECONFIG."
    )


def debian_suites() -> tuple[str, ...]:
    """The names under which a Debian machine may read its main suite."""
    return (SUITE, "trixie", "forky", "sid", "stable", "oldstable", "testing", "unstable")


def fetch(work: Path) -> None:
    """Fetch the source package and the binary packages; apt refuses what the signed lists do not name."""
    (work / "packages").mkdir(parents=True, exist_ok=True)
    where = work / "packages"
    run(apt(work, "source", "--download-only", SOURCE), where, f"Debian's source package {SOURCE} could not be fetched")
    run(apt(work, "download", *GO, *TOOLS), where, f"Debian's packages {', '.join((*GO, *TOOLS))} could not be fetched")


def unpack(work: Path) -> None:
    """Unpack the tree and the packages, each into a folder of its own, afresh."""
    for name in ("tree", "root"):
        shutil.rmtree(work / name, ignore_errors=True)
        (work / name).mkdir()
    (tarball,) = (work / "packages").glob(f"{SOURCE}_*.orig.tar.gz")
    if f"really{VERSION}" not in tarball.name:
        raise Failed(f"the mirror has {tarball.name}, which is not {VERSION}; scripts/control_plane.py has to follow.")
    unpacked = ["tar", "--extract", "--gzip", "--file", str(tarball), "--directory", str(work / "tree")]
    run([*unpacked, "--strip-components", "1"], work, "the source could not be unpacked")
    for package in sorted((work / "packages").glob("*.deb")):
        run(["dpkg", "--extract", str(package), str(work / "root")], work, f"{package.name} could not be unpacked")
    mend(work / "tree")
    inside = work / "tree" / ".go" / "src" / "k8s.io"
    inside.mkdir(parents=True)
    (inside / "kubernetes").symlink_to(Path("..") / ".." / "..")


# The vendored reflect2 knows Go's maps as they were before 1.18 and corrupts memory with a newer one: the API server
# dies over a custom object. This is what reflect2 1.0.2 does instead.
_REFLECT = "vendor/github.com/modern-go/reflect2"
_HITER = """type hiter struct {
	key, value, t, h, buckets, bptr unsafe.Pointer
	overflow, oldoverflow *[]unsafe.Pointer
	startBucket uintptr
	offset uint8
	wrapped bool
	B, i uint8
	bucket, checkBucket uintptr
}
"""
_ITERATE = """	var it hiter
	mapiterinit(type2.rtype, *(*unsafe.Pointer)(obj), &it)
	return &UnsafeMapIterator{
		hiter: &it,
"""
_MENDS = (
    (f"{_REFLECT}/unsafe_link.go", r"type hiter struct \{.*?\n\}\n", _HITER),
    (f"{_REFLECT}/unsafe_link.go", r"m unsafe\.Pointer\) \*hiter", "m unsafe.Pointer, it *hiter)"),
    (f"{_REFLECT}/unsafe_map.go", r"\treturn &UnsafeMapIterator\{\n\t\thiter: [^\n]*,\n", _ITERATE),
)


def mend(tree: Path) -> None:
    """Change what this Go cannot work with; a place that is not as expected is no place to build on."""
    for name, old, new in _MENDS:
        file = tree / name
        before, *after = re.split(old, file.read_text(), flags=re.DOTALL)
        if len(after) != 1:
            raise Failed(f"{name} of the source package is not as it was; scripts/control_plane.py has to follow.")
        file.write_text(before + new + after[0])


def generate(work: Path) -> None:
    """Make the generated code, among it the OpenAPI document."""
    run(["make", "generated_files"], work / "tree", "the generated code could not be made", environment(work))


def compiling(plane: ControlPlane, work: Path, name: str) -> Callable[[], None]:
    """The step that compiles one program and puts it in its place."""

    def step() -> None:
        into = work / name
        flags = f"-s -w {' '.join(version_flags())}"
        words = ["go", "build", "-ldflags", flags, "-o", str(into), f"k8s.io/kubernetes/cmd/{name}"]
        inside = work / "tree" / ".go" / "src" / "k8s.io" / "kubernetes"
        # Go believes PWD, and without modules it finds the tree only by its path below GOPATH.
        where = {**environment(work), "GO111MODULE": "off", "PWD": str(inside)}
        run(words, inside, f"{name} could not be compiled", where)
        place(into, plane.program(name))

    return step


def version_flags() -> Iterator[str]:
    """What the programs answer when they are asked for their version."""
    major, minor, _ = VERSION.split(".")
    said = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
    said |= {"gitCommit": "debian", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z"}
    for package in ("component-base/version", "client-go/pkg/version"):
        yield from (f"-X k8s.io/kubernetes/vendor/k8s.io/{package}.{name}={value}" for name, value in said.items())


def environment(work: Path) -> Mapping[str, str]:
    """What the build is told, and nothing of this process's: an outer make would join in through MAKEFLAGS."""
    root, go = work / "root", work / "root" / "usr" / "lib" / "go-1.19"
    libraries = sorted({str(each.parent) for each in root.rglob("*.so.*")})
    return {
        "HOME": str(work),
        "PATH": f"{go}/bin:{root}/usr/bin:/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": ":".join(libraries),
        "LC_ALL": "C.UTF-8",
        "GOROOT": str(go),
        "GOPATH": str(work / "tree" / ".go"),
        "GOCACHE": str(work / "compiled"),
        "GOPROXY": "off",
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
        "KUBE_GIT_VERSION": f"v{VERSION}",
        "KUBE_GIT_COMMIT": "debian",
        "KUBE_GIT_TREE_STATE": "clean",
        "KUBE_GIT_MAJOR": VERSION.split(".")[0],
        "KUBE_GIT_MINOR": VERSION.split(".")[1],
    }


def etcd(work: Path) -> Path:
    """The program of Debian's package."""
    return work / "root" / "usr" / "bin" / "etcd"


def place(file: Path, at: Path) -> None:
    """Put a program where it stays, whole or not at all."""
    at.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, partly := at.with_name(f".{at.name}"))
    partly.chmod(0o755)
    partly.rename(at)


def run(command: Sequence[str], where: Path, complaint: str, told: Mapping[str, str] | None = None) -> None:
    """Run a program to its end; what it said is kept in a file, and its last words come with the complaint."""
    log = next(each for each in (where, *where.parents) if each.name == "work") / "build.log"
    with log.open("a") as said:
        said.write(f"$ {' '.join(command)}\n")
        said.flush()
        done = subprocess.run(
            command, cwd=where, env=told, stdout=said, stderr=said, stdin=subprocess.DEVNULL, check=False
        )
    if done.returncode != 0:
        last = " ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        raise Failed(f"{complaint} ({command[0]} ended with {done.returncode}: {last[-400:]}); all of it is in {log}.")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder for one build at a time; a second one waits, and then finds the work done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another build is at work in the same folder; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """One line, at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
