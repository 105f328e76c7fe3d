"""Randomised promotions: whatever happens after dev proved a release, staging gets what was proven, or is refused.

`randomised.py COUNT [SEED]` runs so many and prints the counts; RANDOMISED_SEED replays from one seed on.
"""

import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from small_world import DEV, IMAGES, STAGING, World
from workspace.errors import Refused

_MEMORY = Path("/dev/shm")
_TOLD_EVERY = 50
# A promotion waits for its stand-ins and the disk half of its time.
_AT_ONCE_A_CORE = 2
CARRIED = "carried, equal"
WRONG = "wrong"


class Case:
    """One small workspace, and what its stand-ins held each time dev had proven a release."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(Path(tempfile.mkdtemp(prefix="randomised-", dir=_MEMORY if _MEMORY.is_dir() else None)))
        self.proven: list[str] = []
        self.content: dict[str, dict[str, Any]] = {}
        self.parts: dict[str, tuple[list[str], str]] = {}
        self.held: set[str] = set()
        self.has = ""
        self.told: list[str] = []

    def dev(self) -> None:
        """Dev proves what the checkout holds now; kept is what its stand-ins have, by the release they say."""
        ending = self.world.promote(DEV)
        assert ending.success, ending.sentence
        its = ending.sentence.rpartition("Release ")[2].partition(" ")[0]
        cluster = self.world.outside.clusters["dev"]
        sites = self.world.outside.static_site
        self.proven = [each for each in self.proven if each != its] + [its]
        self.content[its] = self.world.content("dev")
        digests = [f"{name}@{cluster.pulled[name][0]}" for name in IMAGES]
        self.parts[its] = (digests, sites.deployed("g", "app-dev"))

    def expected(self, release: str, *, named: bool) -> set[str]:
        """What a refusal of this release may be about, as the stand-ins are now; empty when it must be carried."""
        digests, package = self.parts[release]
        found = {each for each in digests if not self.world.outside.registry.exists(*each.split("@"))}
        if not self.world.outside.packages.exists(package):
            found.add(package)
        return {"is held"} if release in self.held and not named else found

    def staging(self, wanted: str = "") -> str:
        """Promote staging and say how that ended; wrong is whatever is neither of the two things it may be."""
        release = wanted or self.proven[-1]
        expected = self.expected(release, named=bool(wanted))
        before, writes = self.world.content("staging"), self.world.writes
        try:
            ending = self.world.promote(STAGING, wanted)
        except Refused as error:
            said = str(error)
            fits = bool(expected) and all(each in said for each in expected)
            untouched = self.world.writes == writes and self.world.content("staging") == before
            kind = "held" if "is held" in said else "something is missing"
            return f"refused: {kind}" if fits and untouched else f"{WRONG}: {said}"
        told = ending.sentence
        equal = self.world.content("staging") == self.content[release]
        if expected or not equal or not ending.success or f"Release {release} is proven in staging" not in told:
            return f"{WRONG}: {told}"
        self.held.discard(release)
        if wanted and self.has in self.proven and self.proven.index(self.has) > self.proven.index(release):
            self.held.add(self.has)
        self.has = release
        return CARRIED

    def disturb(self) -> None:
        """Something happens between dev and staging."""
        what = self.dice.choice(DISTURBANCES)
        self.told.append(what.__name__)
        what(self)

    def word(self) -> str:
        return f"{self.dice.randrange(1 << 40):x}"


def change_sources(case: Case) -> None:
    for name in (*IMAGES, "app/index.html"):
        if case.dice.random() < 0.7:
            case.world.write(name, f"{name} {case.word()}")
    case.world.write_overlay("dev", flag := case.word())
    case.world.write_overlay("staging", flag)


def point_tags_elsewhere(case: Case) -> None:
    name = case.dice.choice(IMAGES)
    other = case.world.push.image(name, case.word())
    for tag in case.world.outside.registry.tags(name):
        if case.dice.random() < 0.8:
            case.world.push.tag(name, tag, other)


def overwrite_an_input_tag(case: Case) -> None:
    name = case.dice.choice(IMAGES)
    tags = [each for each in case.world.outside.registry.tags(name) if each.startswith("dev-")]
    if tags:
        case.world.push.image(name, case.word(), case.dice.choice(tags))


def delete_tags(case: Case) -> None:
    name = case.dice.choice(IMAGES)
    for file in (case.world.folder / "registry" / "repositories" / name / "_tags").iterdir():
        file.unlink()


def delete_a_digest(case: Case) -> None:
    repository, _, digest = case.dice.choice(case.parts[case.proven[-1]][0]).partition("@")
    if case.world.outside.registry.exists(repository, digest):
        case.world.push.remove(repository, digest)


def overwrite_a_package(case: Case) -> None:
    file = case.world.store / case.parts[case.proven[-1]][1]
    file.unlink(missing_ok=True)
    if case.dice.random() < 0.6:
        file.write_text(case.word())


def publish_another_package(case: Case) -> None:
    case.world.write("app/index.html", case.word())


def move_the_branch(case: Case) -> None:
    case.world.git("checkout", "-q", "-b", f"b{case.word()}")
    change_sources(case)
    case.world.commit()
    if case.dice.random() < 0.5:
        case.world.git("checkout", "-q", "main")


def edit_definitions(case: Case) -> None:
    case.world.write_overlay("staging", case.word())


def fail_half_way_in_dev(case: Case) -> None:
    change_sources(case)
    case.world.outside.static_site.fails = True
    ending = case.world.promote(DEV)
    case.world.outside.static_site.fails = False
    if ending.success:
        case.dev()


def prove_another(case: Case) -> None:
    change_sources(case)
    case.dev()


def roll_back(case: Case) -> None:
    """Staging takes the last release, then goes back by name to one before it."""
    if len(case.proven) > 1 and case.staging() == CARRIED:
        told = case.staging(case.dice.choice(case.proven[:-1]))
        assert not told.startswith(WRONG), told


DISTURBANCES: tuple[Callable[[Case], None], ...] = (
    change_sources, point_tags_elsewhere, overwrite_an_input_tag, delete_tags, delete_a_digest, overwrite_a_package,
    publish_another_package, move_the_branch, edit_definitions, fail_half_way_in_dev, prove_another, roll_back,
)  # fmt: skip


def run(seed: int) -> tuple[str, list[str]]:
    """How one promotion ended, and what had happened before it."""
    case = Case(seed)
    try:
        case.dev()
        if case.dice.random() < 0.3:
            prove_another(case)
        for _ in range(case.dice.randint(1, 5)):
            case.disturb()
        wanted = case.dice.choice(case.proven) if case.dice.random() < 0.25 else ""
        return case.staging(wanted), case.told
    except AssertionError as error:
        return f"{WRONG}: {error}", case.told
    finally:
        case.world.close()
        shutil.rmtree(case.world.folder, ignore_errors=True)


def fresh_seed() -> int:
    """The seed of RANDOMISED_SEED, else another one each time."""
    return int(os.environ.get("RANDOMISED_SEED") or random.SystemRandom().randrange(1 << 32))


def many(
    first: int, count: int, jobs: int = 1, tell: Callable[[Iterable[Any], int], Iterable[Any]] = lambda found, _: found
) -> tuple[Counter[str], list[str]]:
    """So many promotions from a seed on: how they ended, and the wrong ones with what replays them.

    `tell` may show how far they are: it is given the ends as they come, and how many there will be.
    """
    ends, wrong, seeds = Counter[str](), [], range(first, first + count)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(tell(pool.map(run, seeds) if jobs > 1 else map(run, seeds), count))
    for seed, (end, told) in zip(seeds, found, strict=True):
        ends[end.partition(":")[0] if end.startswith(WRONG) else end] += 1
        if end.startswith(WRONG):
            wrong.append(f"RANDOMISED_SEED={seed}: {' '.join(told)}: {end}")
    return ends, wrong


def _told(found: Iterable[Any], count: int) -> Iterator[Any]:
    """The ends as they come, every so many of them counted in a line."""
    for number, each in enumerate(found, 1):
        if number % _TOLD_EVERY == 0 or number == count:
            print(f"{number} of {count}", flush=True)
        yield each


def main(count: str = "1000", seed: str = "") -> int:
    """0 when nothing was wrong."""
    began, first = time.monotonic(), int(seed) if seed else fresh_seed()
    ends, wrong = many(first, int(count), _AT_ONCE_A_CORE * (os.cpu_count() or 1), _told)
    for end, number in sorted(ends.items()):
        print(f"{number:6} {end}")
    print(f"{ends[WRONG]:6} wrong of {count} promotions from seed {first} on, in {time.monotonic() - began:.0f} s")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
