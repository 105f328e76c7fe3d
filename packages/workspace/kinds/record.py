"""A record set of the public zone: signed by its environment, written only where it is ours, believed when DNS says so.

Settings: `zone`, `group`, `name` (`@` for the zone itself), `type`, `ttl`, `values`; `target` is a resource id for an
alias; `adopt` takes over a record set that somebody else wrote; `deadline_seconds` is DNS's time to agree.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workspace.errors import Refused
from workspace.work import Outcome, Preview, Result, Work

if TYPE_CHECKING:
    from workspace.clients.zone import RecordSet

_DEADLINE_SECONDS = 600


def preview(work: Work, outside: Any) -> Preview:
    """What the record set would say instead of what it says; a record set of somebody else is refused here already."""
    wanted, found = _wanted(work, outside), _read(work, outside)
    refusal = outside.zone.refusal(work.settings["zone"], wanted, found, adopt=_adopts(work))
    if refusal:
        raise Refused(refusal)
    if found is None:
        return Preview((f"create record {_fqdn(work)} {wanted.type} {_said(wanted)}",))
    if wanted.says_the_same_as(found):
        return Preview()
    return Preview((f"change record {_fqdn(work)} {wanted.type} from {_said(found)} to {_said(wanted)}",))


def apply(work: Work, preview: Preview, outside: Any) -> Result:
    """Write the record set when it says something else; every earlier value is replaced."""
    wanted, settings = _wanted(work, outside), work.settings
    written = outside.zone.ensure(settings["group"], settings["zone"], wanted, adopt=_adopts(work))
    says = f"{_fqdn(work)} {wanted.type} {_said(wanted)}"
    if not written:
        return Result(Outcome.UNCHANGED, f"record {says} was there", _gives(work))
    work.say(f"wrote record {says}")
    return Result(Outcome.CHANGED, f"wrote record {says}", _gives(work))


def verify(work: Work, result: Result, outside: Any) -> Result:
    """The result, once the zone's own servers and the public resolvers all say it; Unsettled at the deadline."""
    deadline = float(work.settings.get("deadline_seconds", _DEADLINE_SECONDS))
    values = [str(value) for value in work.settings.get("values", ())]
    outside.resolver.wait_for(_fqdn(work), work.settings["type"], values, deadline, work.say)
    return Result(result.outcome, f"{result.detail}; DNS agrees", _gives(work))


def undo(work: Work, outside: Any) -> Result:
    """Remove the record set this environment signed."""
    settings = work.settings
    owner = _owner(work)
    gone = outside.zone.delete(settings["group"], settings["zone"], settings["name"], settings["type"], owner=owner)
    outcome = Outcome.CHANGED if gone else Outcome.UNCHANGED
    return Result(outcome, f"removed record {_fqdn(work)}" if gone else f"there was no record {_fqdn(work)}")


def _wanted(work: Work, outside: Any) -> "RecordSet":
    settings = work.settings
    values = tuple(str(value) for value in settings.get("values", ()))
    target = str(settings.get("target", ""))
    if not target and not all(values or ("",)):
        raise Refused(f"Record {_fqdn(work)} has no value yet; what it points to gave none.")
    wanted: RecordSet = outside.zone.record(
        name=settings["name"],
        type=settings["type"],
        ttl=int(settings["ttl"]),
        values=values,
        owner=_owner(work),
        target=target,
    )
    return wanted


def _read(work: Work, outside: Any) -> "RecordSet | None":
    settings = work.settings
    found: RecordSet | None = outside.zone.read(settings["group"], settings["zone"], settings["name"], settings["type"])
    return found


def _owner(work: Work) -> str:
    return f"mystira-workspace/{work.environment.name}"


def _adopts(work: Work) -> bool:
    return bool(work.settings.get("adopt", False))


def _fqdn(work: Work) -> str:
    name, zone = work.settings["name"], work.settings["zone"]
    return str(zone) if name == "@" else f"{name}.{zone}"


def _said(record: "RecordSet") -> str:
    return ", ".join(record.values) or record.target


def _gives(work: Work) -> Mapping[str, Any]:
    return {"fqdn": _fqdn(work), "values": list(work.settings.get("values", ()))}
