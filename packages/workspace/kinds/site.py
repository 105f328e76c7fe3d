"""A Static Web App: a package that Azure fetches and serves.

Settings: `group`, `name`, `package` (SHA-256), `path` (what to ask for when looking whether it serves, `/`).
"""

from collections.abc import Mapping
from typing import Any

from workspace.errors import Broken
from workspace.work import Certainty, Outcome, Preview, Result, Work


def preview(work: Work, outside: Any) -> Preview:
    """Whether the package would be uploaded; deferred while the site is not there."""
    group, name = _place(work)
    if not outside.static_site.host(group, name):
        return Preview((f"upload {_package(work)[:12]} to {name} once it is there",), Certainty.DEFERRED)
    if outside.static_site.deployed(group, name) == _package(work):
        return Preview()
    return Preview((f"upload {_package(work)[:12]} to {name}",))


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Upload the package when something else is served."""
    (group, name), package = _place(work), _package(work)
    host = _host(work, outside)
    if outside.static_site.deployed(group, name) == package:
        return Result(Outcome.UNCHANGED, f"{name} served {package[:12]}", _gives(work, host), package)
    outside.static_site.deploy(group, name, outside.packages.url(package), package, say=work.say)
    return Result(Outcome.CHANGED, f"{name} serves {package[:12]}", _gives(work, host), package)


def verify(work: Work, result: Result, outside: Any) -> Result:
    """The result, once the site says it holds this package and answers under its own host name."""
    (group, name), package, host = _place(work), _package(work), _host(work, outside)
    held = outside.static_site.deployed(group, name)
    if held != package:
        raise Broken(f"{name} holds {held[:12] or 'a package of somebody else'}, not {package[:12]}; upload it again.")
    outside.web.greet(host, work.settings.get("path", "/"))
    return Result(result.outcome, result.detail, _gives(work, host), package)


def _host(work: Work, outside: Any) -> str:
    group, name = _place(work)
    host: str = outside.static_site.host(group, name)
    if not host:
        raise Broken(f"There is no static site {name} in {group}; promote what makes it first.")
    return host


def _place(work: Work) -> tuple[str, str]:
    return work.settings["group"], work.settings["name"]


def _package(work: Work) -> str:
    return str(work.carried or work.settings["package"])


def _gives(work: Work, host: str) -> Mapping[str, Any]:
    return {"name": work.settings["name"], "host": host, "sha256": _package(work)}
