"""An app on App Service: a package deployed to a slot, warmed up, swapped in; or deployed in place where there is none.

Settings: `group`, `site`, `slot` (empty for none), `package` (SHA-256), `health`, `settings` (app settings to merge),
`warm_up_times`, `deadline_seconds`. With a slot the version before stays in it: undo swaps back.
"""

from collections.abc import Mapping
from typing import Any

from workspace.errors import Broken, Refused, Unsettled, WorkspaceError
from workspace.work import Certainty, Outcome, Preview, Result, Work

_DEADLINE_SECONDS = 900
_TIMES = 3


def preview(work: Work, outside: Any) -> Preview:
    """The steps to the wanted package and settings; deferred while the site is not there."""
    group, site, _ = _place(work)
    apps, package = outside.app_service, _package(work)
    if apps.state(group, site) is None:
        return Preview((f"deploy {package[:12]} to {site} once it is there",), Certainty.DEFERRED)
    names = apps.stale_settings(group, site, "", _settings(work))
    changes = [f"set app setting {name} of {site}" for name in names]
    if apps.deployed(group, site) != package:
        changes += _steps(work, outside)
    return Preview(tuple(changes))


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Bring the package to the public; nothing reaches the public before it is well in its slot."""
    group, site, slot = _place(work)
    apps, package = outside.app_service, _package(work)
    _require(apps.state(group, site), site, group)
    before = apps.deployed(group, site)
    changed = before != package
    if changed:
        _deploy(work, outside, slot)
        if slot:
            apps.swap(group, site, slot, package=package)
            work.say(f"{site}: {slot} and production exchanged")
    names = apps.merge_settings(group, site, "", _settings(work))
    if changed or names:
        try:
            _warm_up(work, outside, "")
        except Broken as error:
            if changed and slot and before:
                raise _taken_back(work, outside, before, error) from error
            raise
        return Result(Outcome.CHANGED, f"{site} serves {package[:12]}", _gives(work, outside), package)
    return Result(Outcome.UNCHANGED, f"{site} served {package[:12]}", _gives(work, outside), package)


def verify(work: Work, result: Result, outside: Any) -> Result:
    """The result, once the site says it holds this package and answers at its health path."""
    group, site, _ = _place(work)
    package, state = _package(work), _require(outside.app_service.state(group, site), site, group)
    held = outside.app_service.deployed(group, site)
    if held != package:
        raise Broken(f"{site} holds {held[:12] or 'a package of somebody else'}, not {package[:12]}; deploy it again.")
    outside.web.greet(state.host, _health(work))
    return Result(result.outcome, result.detail, _gives(work, outside), package)


def undo(work: Work, outside: Any) -> Result:
    """Swap back to the version before; refused where no slot keeps it."""
    group, site, slot = _place(work)
    apps, package = outside.app_service, _package(work)
    if not slot:
        raise Refused(f"{site} has no slot that keeps the version before; deploy that package instead.")
    if apps.deployed(group, site) != package:
        return Result(Outcome.UNCHANGED, f"{site} does not serve {package[:12]}; nothing was swapped back")
    before = apps.deployed(group, site, slot)
    if not before:
        raise Refused(f"Slot {slot} of {site} holds no version of ours to go back to; deploy that package instead.")
    apps.swap(group, site, slot, package=before)
    _warm_up(work, outside, "")
    return Result(Outcome.CHANGED, f"{site} serves {before[:12]} again", _gives(work, outside), before)


def _taken_back(work: Work, outside: Any, before: str, error: Broken) -> Broken:
    """What to raise when the public met an app that is not well: the version before serves again, where it could."""
    group, site, slot = _place(work)
    said = str(error).rstrip(".")
    try:
        outside.app_service.swap(group, site, slot, package=before)
    except WorkspaceError as obstacle:
        return Broken(f"{said}; swapping back failed, so {site} still serves {_package(work)[:12]}: {obstacle}")
    work.say(f"{site}: {slot} and production exchanged back")
    return Broken(f"{said}; swapped back, so {site} serves {before[:12]} again and {slot} holds {_package(work)[:12]}.")


def _steps(work: Work, outside: Any) -> list[str]:
    group, site, slot = _place(work)
    package = _package(work)
    if not slot:
        return [f"deploy {package[:12]} to {site}"]
    if outside.app_service.state(group, site, slot) is None:
        raise Refused(f"{site} has no slot {slot}; promote the template that makes it, or deploy without one.")
    swap = f"swap {slot} of {site} with production"
    if outside.app_service.deployed(group, site, slot) == package:
        return [swap]
    return [f"deploy {package[:12]} to slot {slot} of {site}", swap]


def _deploy(work: Work, outside: Any, slot: str) -> None:
    group, site, _ = _place(work)
    apps, package = outside.app_service, _package(work)
    apps.merge_settings(group, site, slot, _settings(work))
    apps.deploy(
        group, site, slot, outside.packages.path(package), package, deadline_seconds=_deadline(work), say=work.say
    )
    if slot:
        _warm_up(work, outside, slot)


def _warm_up(work: Work, outside: Any, slot: str) -> None:
    group, site, _ = _place(work)
    label = f"{site} {slot}".strip()
    state = _require(outside.app_service.state(group, site, slot), label, group)
    times = int(work.settings.get("warm_up_times", _TIMES)) if slot else 1
    outside.app_service.warm_up(
        label,
        lambda: outside.web.greet(state.host, _health(work)),
        times=times,
        deadline_seconds=_deadline(work),
        say=work.say,
    )


def _require(state: Any, what: str, group: str) -> Any:
    if state is None:
        raise Broken(f"There is no {what} in {group}; promote what makes it first.")
    if not state.running:
        raise Unsettled(f"{what} in {group} is stopped; start it.")
    return state


def _place(work: Work) -> tuple[str, str, str]:
    return work.settings["group"], work.settings["site"], work.settings.get("slot", "")


def _package(work: Work) -> str:
    return str(work.carried or work.settings["package"])


def _settings(work: Work) -> Mapping[str, str]:
    return {name: str(value) for name, value in (work.settings.get("settings") or {}).items()}


def _health(work: Work) -> str:
    return str(work.settings.get("health", "/health"))


def _deadline(work: Work) -> float:
    return float(work.settings.get("deadline_seconds", _DEADLINE_SECONDS))


def _gives(work: Work, outside: Any) -> Mapping[str, Any]:
    group, site, _ = _place(work)
    state = outside.app_service.state(group, site)
    return {"site": site, "host": state.host, "verification": state.verification, "sha256": _package(work)}
