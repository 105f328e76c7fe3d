"""Terraform's data files: which root each is for, which environment it speaks of, and which are read together."""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAMED = re.compile(
    r"dev|development|int|test|testing|qa|uat|stg|stage|staging|sandbox|preprod|prod|prd|production|live"
)
# What serves every environment, given beside the file of one.
_COMMON = frozenset({"common", "shared", "global", "globals", "default", "defaults", "all", "base"})
_SHOWN = re.compile(r"(^|[._-])(example|sample|template)([._-]|$)")
_ENDING = re.compile(r"(\.auto)?\.tfvars(\.json)?$")


@dataclass(frozen=True, eq=False)
class Data:
    """What one environment says about one root: the values of a file, or of all files that are read together.

    `is_common` is true for a file that Terraform reads whatever the environment, or that is named as if it were.
    """

    file: str
    environment: str
    root: str
    values: Mapping[str, Any]
    is_common: bool = False
    files: tuple[str, ...] = ()

    @property
    def read(self) -> tuple[str, ...]:
        """The files that it comes from, the environment's own first."""
        return self.files or (self.file,)


def environment_of(path: str) -> str:
    """The environment that a folder's path names, the nearest to its end; empty when it names none."""
    return next((step for step in reversed(path.split("/")) if _NAMED.fullmatch(step)), "")


def stem(file: str) -> str:
    """The name of a data file without its endings."""
    return _ENDING.sub("", posixpath.basename(file))


def is_shown(file: str) -> bool:
    """Whether a data file is there to be copied, as `example.tfvars` is."""
    return bool(_SHOWN.search(stem(file)))


def is_read_alone(file: str) -> bool:
    """Whether Terraform reads a data file without being told to."""
    return bool(re.fullmatch(r"terraform\.tfvars(\.json)?|.*\.auto\.tfvars(\.json)?", posixpath.basename(file)))


def _is_of_azd(file: str) -> bool:
    """Whether the Azure Developer CLI hands a data file over: it fills in what differs between its environments."""
    return stem(file) == "main" and file.endswith(".json")


def is_common(file: str, root: str) -> bool:
    """Whether the values hold in every environment: read by itself in the root, or named so."""
    folder = posixpath.dirname(file)
    by_itself = folder == root and (is_read_alone(file) or _is_of_azd(file))
    is_of_stack = stem(file) == posixpath.basename(root)
    return by_itself or (stem(file) in _COMMON and not is_of_stack) or posixpath.basename(folder) in _COMMON


def spoken_of(file: str, root: str, beside: Collection[str]) -> str:
    """The environment that a data file speaks of; `beside` are the data files of its folder."""
    folder = posixpath.dirname(file)
    if folder == root and _is_of_azd(file):
        return environment_of(folder)
    if stem(file) == "terraform":
        return environment_of(folder) or posixpath.basename(folder)
    if folder == root:
        return stem(file)
    below = folder.removeprefix(f"{root}/") if root else folder
    named = environment_of(below if folder.startswith(f"{root}/") or not root else folder)
    is_of_root = stem(file) == posixpath.basename(root)
    alone = len(beside) < 2 and not _NAMED.fullmatch(stem(file))
    return named or (posixpath.basename(folder) if is_of_root or alone else stem(file))


def together(said: Iterable[Data]) -> Iterator[Data]:
    """The values of each environment and root, with those of the files that hold in every environment below them."""
    by_root: dict[str, list[Data]] = {}
    for each in said:
        by_root.setdefault(each.root, []).append(each)
    for its in by_root.values():
        common = [each for each in its if each.is_common]
        own: dict[str, list[Data]] = {}
        for each in its:
            if not each.is_common:
                own.setdefault(each.environment, []).append(each)
        yield from (_merged([*common, *each]) for each in own.values() or ([common] if common else []))


def _merged(files: list[Data]) -> Data:
    last = files[-1]
    values = {name: value for each in files for name, value in each.values.items()}
    read = tuple(each.file for each in reversed(files))
    return Data(last.file, last.environment, last.root, values, last.is_common, read)
