"""A custom domain: the host bound to what serves it, with a certificate that Azure manages.

Settings: `target` (`app` or `site`), `group`, `name`, `host`; for an app `certificate` (`managed`, or `none` for plain
HTTP), for a site `validation` (`cname-delegation` or `dns-txt-token`); `deadline_seconds` is Azure's time to prove and
to issue. The DNS records must be there first. With `claim` a site's host is only asked for: that gives the `token`
which its TXT record must hold before it can be bound.
"""

from typing import Any

from workspace.errors import Broken, Refused, Unsettled
from workspace.work import Outcome, Preview, Result, Work

_DEADLINE_SECONDS = 600


def preview(work: Work, outside: Any) -> Preview:
    """The steps that are missing between the host and a secure binding."""
    if _is_app(work):
        steps = _missing_for_app(work, outside)
    elif _is_claim(work):
        claimed = outside.static_site.domain(*_place(work), work.settings["host"]) is not None and _token(work)
        steps = [] if claimed else [f"claim {_host(work)} for {work.settings['name']}"]
    else:
        domain = outside.static_site.domain(*_place(work), work.settings["host"])
        steps = [] if domain is not None and domain.is_ready else [f"bind {_host(work)} to {work.settings['name']}"]
    return Preview(tuple(steps))


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Bind the host, have a certificate issued, serve the host with it; each step only where it is missing."""
    if _is_claim(work):
        return _claim(work, preview, outside)
    changed = _apply_to_app(work, outside) if _is_app(work) else _apply_to_site(work, outside)
    if not changed:
        return Result(Outcome.UNCHANGED, f"{_host(work)} was bound to {work.settings['name']}", _gives(work))
    return Result(Outcome.CHANGED, f"bound {_host(work)} to {work.settings['name']}", _gives(work))


def verify(work: Work, result: Result, outside: Any) -> Result:
    """The result, once Azure itself says that the host is bound and secure."""
    if _is_claim(work):
        return result
    if not _is_app(work):
        domain = outside.static_site.domain(*_place(work), work.settings["host"])
        if domain is None or not domain.is_ready:
            raise Unsettled(f"{_host(work)} is {domain.status if domain else 'not bound'} at {work.settings['name']}.")
        return result
    binding = outside.app_service.binding(*_place(work), work.settings["host"])
    if binding is None:
        raise Broken(f"{_host(work)} is not bound to {work.settings['name']} any more; something else unbound it.")
    if _wants_certificate(work) and not binding.is_secure:
        raise Unsettled(f"{_host(work)} is bound to {work.settings['name']}, but no certificate serves it yet.")
    return Result(result.outcome, result.detail, _gives(work, binding.thumbprint))


def _claim(work: Work, preview: Preview, outside: Any) -> Result:
    """Ask for the host; the token is kept, because Azure forgets it once the host is proved."""
    before = _token(work)
    token = outside.static_site.claim(*_place(work), work.settings["host"]) or before
    if not token:
        raise Refused(f"{_host(work)} is proved already and nobody kept its token; bind it without a claim.")
    file = work.directory / "token"
    file.touch(mode=0o600)
    file.write_text(token)
    outcome = Outcome.UNCHANGED if preview.is_empty and token == before else Outcome.CHANGED
    detail = f"{_host(work)} is claimed for {work.settings['name']}"
    return Result(outcome, detail, {"host": _host(work), "token": token})


def _token(work: Work) -> str:
    """The token as it was kept here, or as this node gave it last, on another machine."""
    file = work.directory / "token"
    if file.exists():
        return file.read_text()
    return str(work.before.get("token", "")) if work.before.get("host") == _host(work) else ""


def _is_claim(work: Work) -> bool:
    return bool(work.settings.get("claim")) and not _is_app(work)


def _missing_for_app(work: Work, outside: Any) -> list[str]:
    group, name = _place(work)
    binding = outside.app_service.binding(group, name, work.settings["host"])
    steps = [] if binding else [f"bind {_host(work)} to {name}"]
    if _wants_certificate(work) and not (binding and binding.is_secure):
        if not outside.app_service.certificate(group, work.settings["host"]):
            steps.append(f"issue certificate {_host(work)}")
        steps.append(f"serve {_host(work)} with its certificate")
    return steps


def _apply_to_app(work: Work, outside: Any) -> bool:
    (group, name), host, apps = _place(work), work.settings["host"], outside.app_service
    binding = apps.binding(group, name, host)
    if binding is not None and (binding.is_secure or not _wants_certificate(work)):
        return False
    apps.bind(group, name, host)
    if _wants_certificate(work):
        deadline = float(work.settings.get("deadline_seconds", _DEADLINE_SECONDS))
        thumbprint = apps.issue_certificate(group, name, host, deadline_seconds=deadline, say=work.say)
        apps.secure(group, name, host, thumbprint)
    return True


def _apply_to_site(work: Work, outside: Any) -> bool:
    bound: bool = outside.static_site.bind(
        *_place(work),
        work.settings["host"],
        validation=work.settings.get("validation", "cname-delegation"),
        deadline_seconds=float(work.settings.get("deadline_seconds", _DEADLINE_SECONDS)),
        say=work.say,
    )
    return bound


def _is_app(work: Work) -> bool:
    target = work.settings["target"]
    if target not in ("app", "site"):
        raise Refused(f"{work.node.id}: a host is bound to an app or a site, not to {target!r}.")
    return bool(target == "app")


def _wants_certificate(work: Work) -> bool:
    mode = work.settings.get("certificate", "managed")
    if mode not in ("managed", "none"):
        raise Refused(f"{work.node.id}: the certificate is managed or none, not {mode!r}.")
    return bool(mode == "managed")


def _place(work: Work) -> tuple[str, str]:
    return work.settings["group"], work.settings["name"]


def _host(work: Work) -> str:
    return str(work.settings["host"])


def _gives(work: Work, thumbprint: str = "") -> dict[str, str]:
    return {"host": _host(work), **({"thumbprint": thumbprint} if thumbprint else {})}
