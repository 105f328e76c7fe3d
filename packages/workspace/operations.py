"""Long operations of Azure, followed to their end in one place, in the caller's own thread.

Which answer is asked for next, and where a status stands in it, is azure-core's knowledge and stays there. What it is
not trusted with is the rest: its poller goes on in a thread of its own after the caller gave up, takes a 202 that names
no address for success and a 200 at a Location for the end whatever it says, waits its default when it is told to come
at once, gives up at the first 503, knows no HTTP date that is wrong, and meets odd bodies with a TypeError.

How each style is told by Azure: the ARM resource provider contract, "Asynchronous operations"; where that is silent,
the Go SDK, because it is the stricter of Azure's own.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

from azure.core.exceptions import AzureError, IncompleteReadError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline import PipelineContext, PipelineResponse
from azure.core.polling.base_polling import (
    BadResponse,
    LocationPolling,
    LongRunningOperation,
    OperationFailed,
    OperationResourcePolling,
    StatusCheckPolling,
)
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.core.polling.arm_polling import AzureAsyncOperationPolling, BodyContentPolling

from workspace import diagnosis
from workspace.errors import Broken, Overdue, Unsettled, WorkspaceError
from workspace.work import say_nothing

Say = Callable[[str], None]

# the first pause, and what each one more is longer; both were those of our clients before
_FIRST_PAUSE = 0.1
_GROWTH = 1.5
# readings in a row may fail so often, and for so many of the longest pauses, before the state counts as unknown
_FAILURES = 5
_PATIENCE = 12

_SUCCEEDED = {"succeeded", "completed"}
_FAILED = {"failed", "canceled", "cancelled"}
_MAY_PASS = {404, 408, 425, 429, 500, 502, 503, 504}
_UNKNOWN = {404, 410}
_THROTTLED = 429
_ACCEPTED = 202
_FOLLOWED = {200, 201, 202, 204}
_CORRELATION = "x-ms-client-request-id"
_SENSELESS = (
    AzureError,
    BadResponse,
    OperationFailed,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)

_T = TypeVar("_T")
_Style = LongRunningOperation[Any, Any]


class Client(Protocol):
    """Any client of Azure's management plane: it signs and sends what it is given."""

    def send_request(self, request: HttpRequest, *, stream: bool = False, **settings: Any) -> HttpResponse:
        """The answer to the request, whatever its status."""


@dataclass(frozen=True)
class Ended:
    """A long operation that ended well: the JSON it ended with (None where it gave none)."""

    content: Any = None

    @property
    def fields(self) -> dict[str, Any]:
        """The content where it is an object, else nothing."""
        return self.content if isinstance(self.content, dict) else {}


class Pace:
    """The moments to look again, the first one at once: `for _ in pace:` ends when the time is up.

    Between looks it waits as long as the other side asked for last (`heed`), else a pause that begins at `first`
    seconds and grows to `longest`. The last look is at the deadline itself. To be told to come at once (`Retry-After:
    0`) is to be told nothing: the pauses begin short anyhow.
    """

    def __init__(self, seconds: float, longest: float, first: float = _FIRST_PAUSE) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self.longest = longest
        self._pause = min(first, longest)
        self._asked: float | None = None

    def __iter__(self) -> Iterator[None]:
        yield
        yield from self.pauses()

    def pauses(self) -> Iterator[None]:
        """The same without the first: each after a pause."""
        while (rest := self._end - time.monotonic()) > 0:
            time.sleep(min(self._next(), rest))
            yield

    def heed(self, headers: Mapping[str, str]) -> None:
        """Wait as long as these headers ask for, once."""
        self._asked = retry_after(headers)

    def _next(self) -> float:
        asked, self._asked = self._asked, None
        pause, self._pause = self._pause, min(self._pause * _GROWTH, self.longest)
        return asked or pause


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait, given as a number or as a date; None where it asks nothing sensible.

    A date is measured against the other side's own clock where it tells it.
    """
    told = {name.lower(): text.strip() for name, text in headers.items()}
    for name, unit in (("retry-after", 1.0), ("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001)):
        if name in told and (seconds := _number(told[name])) is not None:
            return seconds * unit
    until = _moment(told.get("retry-after", ""))
    if until is None:
        return None
    return max(0.0, (until - (_moment(told.get("date", "")) or datetime.now(UTC))).total_seconds())


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None


def _moment(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def begin(what: str, call: Callable[..., object]) -> HttpResponse:
    """Send the first request of a long operation, and give its answer.

    `call` is the SDK's `begin_…` with everything but how to poll. What Azure says against it is the caller's to
    translate (an AzureError); an answer the SDK stumbles over although it is none of its business (it reads
    `Retry-After` as a whole number) counts as it came.
    """
    answers: list[HttpResponse] = []
    try:
        call(polling=False, raw_response_hook=lambda answer: answers.append(answer.http_response))
    except AzureError:
        raise
    except Exception as error:
        if not answers or answers[-1].status_code not in _FOLLOWED:
            raise Broken(f"{what}: the SDK cannot read the answer: {error}") from error
    # before it stumbled, the SDK may not have come to reading the body
    answers[-1].read()
    return answers[-1]


def finish(
    client: Client,
    what: str,
    call: Callable[..., object],
    *,
    deadline_seconds: float,
    longest_pause: float,
    final: str = "",
    changes_nothing: bool = False,
    say: Say = say_nothing,
) -> Ended:
    """Begin a long operation, follow it until it says that it ended well, and give what it ended with.

    `what` opens every sentence: `deleting resource group mys-dev-rg`. `final` is where Azure's description says that
    the result is (`location`, `azure-async-operation`), where it says so. Unsettled: still running at the deadline, or
    its state could not be read for twelve of the longest pauses. Broken: it failed or was cancelled, told by the
    innermost cause, or its answers make no sense; refused only where `changes_nothing` and the request was wrong.
    """
    first = begin(what, call)
    say(f"{what}: accepted")
    pace = Pace(deadline_seconds, longest_pause)
    return _Following(client, what, first, pace, final, changes_nothing, say).to_the_end()


class _Following:
    """One operation on its way: what it is asked next, and how often in a row it could not be read."""

    def __init__(
        self, client: Client, what: str, first: HttpResponse, pace: Pace, final: str, changes_nothing: bool, say: Say
    ) -> None:
        self._client, self._what, self._first, self._pace = client, what, first, pace
        self._final, self._changes_nothing, self._say = final, changes_nothing, say
        self._failures, self._since, self._why = 0, 0.0, ""

    def to_the_end(self) -> Ended:
        style = self._sensible(self._first, lambda: _style(_piped(self._first), self._final))
        last = self._followed(style)
        where = self._sensible(last, lambda: style.get_final_get_url(_piped(last)))
        if where:
            last = self._made(str(where))
        content = self._content(last)
        if _failed(state := _state_inside(content)):
            raise self._failure(state, last)
        return Ended(content)

    def _followed(self, style: "_Style") -> HttpResponse:
        """The answer in which the operation said that it ended well."""
        state, told = "", ""
        for answer in self._answers(style):
            read = style.set_initial_status if answer is self._first else style.get_status
            state = str(self._sensible(answer, lambda a=answer, r=read: r(_piped(a))))  # type: ignore[misc]
            if _failed(state):
                raise self._failure(state, answer)
            if state.lower() in _SUCCEEDED:
                return answer
            if state != told:
                told = state
                self._say(f"{self._what}: {state}")
        raise Overdue(
            f"{self._what} has not ended after {self._pace.seconds:g} s (last: {self._why or state}): run again"
        )

    def _answers(self, style: "_Style") -> Iterator[HttpResponse]:
        """What the operation says of itself, from the first answer on; nothing for the times it could not be read."""
        yield self._first
        self._pace.heed(self._first.headers)
        for _ in self._pace.pauses():
            if (answer := self._ask(style.get_polling_url())) is not None:
                yield answer

    def _made(self, where: str) -> HttpResponse:
        """What the operation made, read where Azure says that it is."""
        for _ in self._pace:
            answer = self._ask(where)
            if answer is not None and answer.status_code != _ACCEPTED:
                return answer
        raise Overdue(f"{self._what} ended well, but what came of it could not be read: {self._why or 'not ready'}")

    def _ask(self, where: str) -> HttpResponse | None:
        """The answer at an address; None where it could not be had this time, which may happen a few times in a row."""
        request = HttpRequest("GET", self._address(where), headers=_correlation(self._first))
        try:
            answer = self._client.send_request(request, stream=True)
            answer.read()
        except AzureError as error:
            self._unanswered(error)
            return None
        self._pace.heed(answer.headers)
        if answer.status_code in _MAY_PASS:
            self._missed(answer.status_code, f"HTTP {answer.status_code}", self._refusal(answer))
            return None
        if answer.status_code not in _FOLLOWED:
            raise self._refusal(answer)
        self._failures, self._why = 0, ""
        return answer

    def _unanswered(self, error: AzureError) -> None:
        why = diagnosis.explain(f"following {self._what}", error)
        if not isinstance(error, ServiceRequestError | ServiceResponseError | IncompleteReadError):
            raise why from error
        self._missed(0, "no answer", why)

    def _missed(self, status: int, shown: str, why: WorkspaceError) -> None:
        """Count a reading that failed, and raise when it was one too many.

        Being told to slow down is not counted: only the deadline ends that.
        """
        self._why = shown
        if status == _THROTTLED:
            return
        self._failures += 1
        self._since = self._since if self._failures > 1 else time.monotonic()
        seconds = time.monotonic() - self._since
        if self._failures <= _FAILURES or seconds < _PATIENCE * self._pace.longest:
            return
        if status in _UNKNOWN:
            raise why
        raise Unsettled(f"{self._what} may still run: its state could not be read for {seconds:.0f} s: {why}")

    def _refusal(self, answer: HttpResponse) -> WorkspaceError:
        """What an answer that is no status says about the operation."""
        found = diagnosis.diagnose(_text(answer), answer.status_code)
        if answer.status_code in _UNKNOWN:
            asked, said = urlsplit(answer.request.url).path, found if found.code else f"HTTP {answer.status_code}"
            return Broken(f"{self._what}: Azure named {asked} to ask and does not know it: {said}")
        return self._ours(found, "")

    def _failure(self, state: str, answer: HttpResponse) -> WorkspaceError:
        """Why an operation ended badly."""
        found = diagnosis.diagnose(_text(answer), 400 if self._changes_nothing else 409)
        if found.causes:
            return self._ours(found, f" ended as {state}")
        if state.lower().startswith("cancel"):
            return Broken(f"{self._what} was cancelled: run again to do what is missing")
        return Broken(f"{self._what} ended as {state}, and Azure gives no reason: look at it there")

    def _ours(self, found: diagnosis.Diagnosis, ended: str) -> WorkspaceError:
        """A diagnosis as an error. What was accepted may have been done in part, so it is no longer called refused."""
        if found.verdict is diagnosis.Verdict.REFUSED and not self._changes_nothing:
            return Broken(f"{self._what}{ended}: {found}")
        return found.error(f"{self._what}{ended}")

    def _address(self, where: str) -> str:
        """The whole address; it must be one, and no less guarded than the one the operation began at."""
        began = self._first.request.url
        try:
            whole = urljoin(began, where.strip())
            told = urlsplit(whole)
        except ValueError:
            told = urlsplit("")
        if not told.hostname or told.scheme not in ("https", urlsplit(began).scheme):
            shown = where.partition("?")[0][:200]
            raise Broken(f"{self._what}: Azure named an address to ask that is none: {shown!r}")
        return whole

    def _content(self, answer: HttpResponse) -> Any:
        text = _text(answer).strip()
        return self._sensible(answer, lambda: json.loads(text)) if text else None

    def _sensible(self, answer: HttpResponse, read: "Callable[[], _T]") -> "_T":
        """What is read out of an answer; one that cannot be read so is broken."""
        try:
            return read()
        except _SENSELESS as error:
            said = " ".join(_text(answer).split())[:100] or "nothing"
            why = str(getattr(error, "message", "") or error).rstrip(". ")
            raise Broken(
                f"{self._what}: the answer makes no sense (HTTP {answer.status_code}: {why}): it says {said}"
            ) from error


def _correlation(first: HttpResponse) -> dict[str, str]:
    """The header by which Azure's logs know that the questions belong to the operation."""
    told = first.request.headers.get(_CORRELATION)
    return {_CORRELATION: told} if told else {}


def _piped(answer: HttpResponse) -> "PipelineResponse[HttpRequest, HttpResponse]":
    return PipelineResponse(answer.request, answer, PipelineContext(None))


def _text(answer: HttpResponse) -> str:
    return answer.content.decode("utf-8-sig", errors="replace")


def _failed(state: str) -> bool:
    return state.lower() in _FAILED


# Where the status stands, style by style: azure-core's, mended where it errs.


class _Done(StatusCheckPolling[Any, Any]):
    """Over at once: nothing is left (204), or a PATCH that was answered by what it made (200, Succeeded).

    ARM lets a PATCH be answered by 200 only when it is done, so headers that came along are of no interest.
    """

    def can_poll(self, pipeline_response: Any) -> bool:
        answer = pipeline_response.http_response
        if answer.status_code == 204:
            return True
        if answer.status_code != 200 or answer.request.method != "PATCH":
            return False
        return _state_inside(_lenient(answer)).lower() in _SUCCEEDED


class _Location(LocationPolling[Any, Any]):
    """Asked at its Location until that no longer answers 202, nor with a thing that is still being made."""

    def get_status(self, pipeline_response: Any) -> str:
        """The library takes any 200 for success. Redis names the new resource itself as the Location."""
        status = super().get_status(pipeline_response)
        answer = pipeline_response.http_response
        if answer.status_code == _ACCEPTED:
            return status
        return _state_inside(json.loads(text) if (text := _text(answer).strip()) else None) or status


class _Resource(BodyContentPolling[Any, Any]):
    """Asked by reading the resource until its provisioningState is a last one."""

    @staticmethod
    def _get_provisioning_state(response: Any) -> str | None:
        if not (text := _text(response).strip()):
            return None
        if not isinstance(content := json.loads(text), dict):
            raise BadResponse("a resource was expected")
        return _state_inside(content) or None


class _Nowhere(StatusCheckPolling[Any, Any]):
    """Nothing to ask: over where the answer says so, and an accepted operation nobody can follow where it does not."""

    def set_initial_status(self, pipeline_response: Any) -> str:
        if pipeline_response.http_response.status_code == _ACCEPTED:
            raise BadResponse("accepted, but with no address to ask for its end")
        return super().set_initial_status(pipeline_response)


def _style(first: "PipelineResponse[HttpRequest, HttpResponse]", final: str) -> "_Style":
    """How an operation that began with this answer is followed; `final` is what Azure's description says of it."""
    options = {"final-state-via": final} if final else None
    styles: Sequence[_Style] = (
        _Done(),
        AzureAsyncOperationPolling(options),
        OperationResourcePolling(lro_options=options),
        _Location(),
        _Resource(),
        _Nowhere(),
    )
    return next(style for style in styles if style.can_poll(first))


def _lenient(answer: HttpResponse) -> Any:
    try:
        return json.loads(_text(answer))
    except ValueError:
        return None


def _state_inside(content: object) -> str:
    """The provisioningState of a resource, or the status of an operation that failed; empty where there is neither."""
    if not isinstance(content, dict):
        return ""
    properties = content.get("properties")
    state = properties.get("provisioningState") if isinstance(properties, dict) else None
    status = content.get("status")
    return str(state or (status if isinstance(status, str) and _failed(status) else "") or "")
