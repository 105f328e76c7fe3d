"""A certificate: one cert-manager Certificate that must be Ready before anybody is sent to its host.

The Certificate itself belongs to the gateway's overlay; here it is only waited for, once its host resolves.
"""

import datetime
from collections.abc import Mapping
from typing import Any

from workspace import readiness
from workspace.errors import Broken, Unsettled
from workspace.work import Certainty, Outcome, Preview, Result, Work

_API = "cert-manager.io/v1"
_DEADLINE_SECONDS = 600


def preview(work: Work, outside: Any) -> Preview:
    """Nothing when the certificate is Ready; else that it is waited for."""
    live = _read(work, outside)
    if live is not None and readiness.verdict(live).is_ready and not _is_over(live):
        return Preview()
    certainty = Certainty.EXACT if live is not None else Certainty.DEFERRED
    return Preview((f"wait for {_name(work)}",), certainty)


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Wait until cert-manager has issued it; Broken with what the issuer said when it does not in time."""
    live = _read(work, outside)
    if live is not None and readiness.verdict(live).is_ready:
        return Result(Outcome.UNCHANGED, f"{_name(work)} was issued already", _gives(live))
    cluster = _cluster(work, outside)
    wanted = live or {"apiVersion": _API, "kind": "Certificate", "metadata": _place(work)}
    try:
        (issued,) = cluster.wait_ready(
            [wanted], float(work.settings.get("deadline_seconds", _DEADLINE_SECONDS)), work.say
        )
    except Broken as error:
        raise Broken(_with_reason(str(error), _read(work, outside), cluster)) from error
    return Result(Outcome.CHANGED, f"{_name(work)} was issued", _gives(issued))


def verify(work: Work, result: Result, outside: Any) -> Result:
    """The result, once the cluster confirms that the certificate is Ready now."""
    live = _read(work, outside)
    if live is None:
        raise Unsettled(f"{_name(work)} is not there any more")
    verdict = readiness.verdict(live)
    if not verdict.is_ready:
        raise Unsettled(f"{_name(work)} is not Ready: {verdict.reason}")
    if _is_over(live):
        raise Unsettled(f"{_name(work)} ended at {live['status']['notAfter']} and cert-manager did not renew it")
    return Result(result.outcome, result.detail, _gives(live))


def _is_over(live: Mapping[str, Any]) -> bool:
    """Whether its time is over, whatever a controller that is away said last."""
    end = str((live.get("status") or {}).get("notAfter") or "")
    return bool(end) and datetime.datetime.fromisoformat(end) <= datetime.datetime.now(datetime.UTC)


def _cluster(work: Work, outside: Any) -> Any:
    return outside.cluster(work.settings["cluster"]["group"], work.settings["cluster"]["name"])


def _read(work: Work, outside: Any) -> dict[str, Any] | None:
    place = _place(work)
    found: dict[str, Any] | None = _cluster(work, outside).get(_API, "Certificate", place["namespace"], place["name"])
    return found


def _place(work: Work) -> dict[str, str]:
    return {"namespace": work.settings["namespace"], "name": work.settings["name"]}


def _name(work: Work) -> str:
    return f"Certificate {work.settings['namespace']}/{work.settings['name']}"


def _gives(live: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "secret": (live.get("spec") or {}).get("secretName", ""),
        "hosts": list((live.get("spec") or {}).get("dnsNames") or ()),
        "not_after": (live.get("status") or {}).get("notAfter", ""),
    }


def _with_reason(sentence: str, live: Mapping[str, Any] | None, cluster: Any) -> str:
    said = cluster.why_not_issued(live) if live else ""
    is_news = said and said.partition(": ")[2] not in sentence
    return f"{sentence}; {said}" if is_news else sentence
