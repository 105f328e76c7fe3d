"""Moments and durations as templates write them: .NET's patterns and ISO 8601."""

import datetime
import re
from typing import Any

from workspace.rehearsal.template_expressions import ExpressionError

BASIC = "yyyyMMddTHHmmssZ"

_PATTERN = re.compile(r"yyyy|yy|MM|dd|HH|mm|ss|fff")
_MEANING = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "fff": "%f"}
_STANDARD = {
    "d": "MM/dd/yyyy",
    "o": "yyyy-MM-ddTHH:mm:ss.0000000Z",
    "O": "yyyy-MM-ddTHH:mm:ss.0000000Z",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
}
_DURATION = re.compile(
    r"(?P<sign>-?)P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)


def written(moment: datetime.datetime, pattern: str) -> str:
    """The moment in a .NET pattern such as `yyyy-MM-dd`."""
    pattern = _STANDARD.get(pattern, pattern)

    def part(match: re.Match[str]) -> str:
        text = moment.strftime(_MEANING[match[0]])
        return text[:3] if match[0] == "fff" else text

    return _PATTERN.sub(part, pattern)


def read(text: str) -> datetime.datetime:
    """A moment from ISO 8601, basic or extended; without a zone it is UTC."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise ExpressionError(f"'{text}' is not a moment in ISO 8601") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def add(base: str, duration: str, pattern: str = "") -> str:
    """The function `dateTimeAdd`: a moment later or earlier by an ISO 8601 duration."""
    match = _DURATION.fullmatch(duration)
    if not match or duration.lstrip("-") in ("P", "PT"):
        raise ExpressionError(f"'{duration}' is not a duration in ISO 8601")
    parts = {name: int(value) for name, value in match.groupdict("0").items() if name != "sign"}
    sign = -1 if match["sign"] else 1
    months = sign * (12 * parts.pop("years") + parts.pop("months"))
    moment = _months_later(read(base), months) + sign * datetime.timedelta(**parts)
    return written(moment, pattern or (BASIC if "-" not in base else "yyyy-MM-ddTHH:mm:ssZ"))


def _months_later(moment: datetime.datetime, months: int) -> datetime.datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    first_after = datetime.date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last_day = (first_after - datetime.timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))


def from_epoch(seconds: Any) -> str:
    """A moment from the seconds since 1970."""
    return written(datetime.datetime.fromtimestamp(int(seconds), datetime.UTC), "yyyy-MM-ddTHH:mm:ssZ")


def to_epoch(text: str) -> int:
    """The seconds since 1970."""
    return int(read(text).timestamp())
