"""Which environment a path, a word or a name speaks of, under one spelling for all tools."""

import re
from collections.abc import Collection
from functools import lru_cache

_LONG = {
    "development": "dev",
    "stage": "staging",
    "stg": "staging",
    "prd": "prod",
    "production": "prod",
    "live": "prod",
    "testing": "test",
}
_WORDS = frozenset({"dev", "int", "test", "qa", "uat", "staging", "preprod", "sandbox", "prod", *_LONG})
_SHARED = frozenset({"", "world", "shared", "global", "common", "all", "org", "terraform", "variables", "default"})


def canonical(word: str) -> str:
    """The environment a word stands for, `prod` for `production`; nothing for what serves all of them."""
    lower = word.lower()
    return "" if lower in _SHARED else _LONG.get(lower, lower)


def of_path(path: str) -> str:
    """The environment a path says by one of its steps, the deepest first; nothing when it says none."""
    for step in reversed(re.split(r"[/\\]", path)):
        stem = step.partition(".")[0].lower()
        if stem in _WORDS:
            return canonical(stem)
    return ""


def of_file(path: str) -> str:
    """The same, where a part of the file's name may say it too: `deploy-staging.yml`."""
    words = [each for each in re.split(r"[^a-z0-9]+", path.rpartition("/")[2].lower()) if each in _WORDS]
    return canonical(words[0]) if len(words) == 1 else of_path(path.rpartition("/")[0])


def in_name(name: str, known: Collection[str]) -> set[str]:
    """The environments whose words stand in a name; only those that the checkout has."""
    found = {canonical(each) for each in parts(name) if each in _WORDS}
    return found & set(known)


@lru_cache(maxsize=65536)
def parts(name: str) -> tuple[str, ...]:
    """The words of a name in lower case."""
    return tuple(each for each in re.split(r"[^a-z0-9]+", name.lower()) if each)


def opened(name: str, environment: str) -> str:
    """A name with the words of its environment left open: the same for all that follow one convention."""
    words = re.split(r"([^A-Za-z0-9]+)", name)
    made = ["{env}" if each.lower() in _WORDS and canonical(each) == environment else each for each in words]
    return "".join(made)


def bare(host: str, environment: str) -> str:
    """A host without its environment's word: the same for the hosts of one service in all environments."""
    steps = (each.replace("{env}-", "").replace("-{env}", "") for each in opened(host, environment).split("."))
    return ".".join(each for each in steps if each != "{env}")
