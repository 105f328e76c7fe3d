"""The long operations of Azure's own test server, and what must come of each.

The verdicts were written from the server's routes (`legacy/routes/lros.js`, `src/test-routes/lro`) and from ARM's rules
for asynchronous operations, not from what our code did. Where a rule of ARM and a client library differ, the rule
counts: a 202 nobody can follow is no success, and an operation that ends Failed did not succeed, whatever its status.
"""

from dataclasses import dataclass
from typing import Any

from workspace.errors import Broken, Refused, WorkspaceError

NOTHING = None
STATUS = {"status": "Succeeded"}
SKU = {"name": "sku", "id": "100"}
BARE = {"id": "100", "name": "foo"}
PRODUCT = {"properties": {"provisioningState": "Succeeded"}, **BARE}
PART = {"properties": {"provisioningState": "Succeeded"}, "id": "100", "subresource": "sub1"}

# What the custom header must say; the server looks for it in every request of the operation.
REQUEST_ID = "9C4D50EE-2D56-4CD3-8152-34347DC9F2B0"


@dataclass(frozen=True)
class Ends:
    """One operation: its first request, and the content it ends with, or our error and what its sentence says.

    `counted` is the counter that the server raises when the operation was followed as it should be. `tries` is how
    often it must be begun: a first request that is answered 500 is not repeated here but by the tasks. `final` is where
    Azure's description says that the result is.
    """

    method: str
    path: str
    counted: str
    content: Any = NOTHING
    error: type[WorkspaceError] | None = None
    says: str = ""
    tries: int = 1
    final: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def well(method: str, path: str, counted: str, content: Any = NOTHING, *, tries: int = 1, final: str = "") -> Ends:
    return Ends(method, path, counted, content, tries=tries, final=final)


def broken(method: str, path: str, counted: str, says: str) -> Ends:
    return Ends(method, path, counted, error=Broken, says=says)


def refused(method: str, path: str, counted: str) -> Ends:
    return Ends(method, path, counted, error=Refused, says="Expected bad request message")


_RAN_OUT = "ended as Failed, and Azure gives no reason"
_STOPPED = "was cancelled: run again"
_BAD_REQUEST = "Expected bad request message"
_NO_STATUS = "No status found in body"
_NO_BODY = "does not contain a body"
_NO_JSON = "the answer makes no sense"
_NOWHERE = "named /foo to ask and does not know it: HTTP 404"

OPERATIONS = (
    # over at once
    well("PUT", "/lro/put/200/succeeded", "LROPutInlineComplete", PRODUCT),
    well("PUT", "/lro/put/201/succeeded", "LROPutInlineComplete201", PRODUCT),
    well("PUT", "/lro/put/200/succeeded/nostate", "LROPut200InlineCompleteNoState", BARE),
    # the address it names does not exist, and must not be asked: a PATCH that is answered 200 is done
    well("PATCH", "/lro/patch/200/succeeded/ignoreheaders", "LROPatchInlineCompleteIgnoreHeaders", PRODUCT),
    well("DELETE", "/lro/delete/204/succeeded", "LRODeleteInlineComplete"),
    well("DELETE", "/lro/error/delete/204/nolocation", "LROErrorDeleteNoLocation"),
    # followed by reading the resource
    well("PUT", "/lro/put/201/creating/succeeded/200", "LROPutSucceededWithBody", PRODUCT),
    well("PUT", "/lro/put/200/updating/succeeded/200", "LROPutSucceededNoBody", PRODUCT),
    broken("PUT", "/lro/put/201/created/failed/200", "LROPutFailed", _RAN_OUT),
    broken("PUT", "/lro/put/200/accepted/canceled/200", "LROPutCanceled", _STOPPED),
    # followed at a Location
    well("PUT", "/lro/put/202/retry/200", "LROPut202Retry200", BARE),
    well("PUT", "/lro/put/noheader/202/200", "LROPutNoHeaderInRetry", PRODUCT),
    well("PUT", "/lro/putnonresource/202/200", "LROPutNonResourceInRetry", SKU),
    well("PUT", "/lro/putsubresource/202/200", "LROPutSubResourceInRetry", PART),
    well(
        "DELETE",
        "/lro/delete/provisioning/202/accepted/200/succeeded",
        "LRODeleteProvisioningSucceededWithBody",
        PRODUCT,
    ),
    broken("DELETE", "/lro/delete/provisioning/202/deleting/200/failed", "LRODeleteProvisioningFailed", _RAN_OUT),
    broken("DELETE", "/lro/delete/provisioning/202/deleting/200/canceled", "LRODeleteProvisioningCanceled", _STOPPED),
    well("DELETE", "/lro/delete/202/retry/200", "LRODelete200"),
    well("DELETE", "/lro/delete/202/noretry/204", "LRODelete204"),
    well("DELETE", "/lro/delete/noheader", "LRODeleteNoHeaderInRetry"),
    well("POST", "/lro/post/payload/200", "LROPost200", {"id": "1", "name": "product"}),
    well("POST", "/lro/post/202/retry/200", "LROPostSuccededWithBody", PRODUCT),
    well("POST", "/lro/post/202/noretry/204", "LROPostSuccededNoBody"),
    # followed at an Azure-AsyncOperation; the result of a PUT or PATCH is read again, that of a POST at its Location
    well("PUT", "/lro/putasync/retry/succeeded", "LROPutAsyncRetrySucceeded", PRODUCT),
    well("PUT", "/lro/putasync/noretry/succeeded", "LROPutAsyncNoRetrySucceeded", PRODUCT),
    broken("PUT", "/lro/putasync/retry/failed", "LROPutAsyncRetryFailed", _RAN_OUT),
    broken("PUT", "/lro/putasync/noretry/canceled", "LROPutAsyncNoRetryCanceled", _STOPPED),
    well("PUT", "/lro/putasync/noheader/201/200", "LROPutAsyncNoHeaderInRetry", PRODUCT),
    well("PUT", "/lro/putnonresourceasync/202/200", "LROPutNonResourceAsyncInRetry", SKU),
    well("PUT", "/lro/putsubresourceasync/202/200", "LROPutSubResourceAsyncInRetry", PART),
    well(
        "PATCH",
        "/lro/patch/201/retry/onlyAsyncHeader",
        "LROPatch201WithAsyncHeader",
        {**PRODUCT, "id": "/lro/patch/201/retry/onlyAsyncHeader"},
    ),
    well(
        "PATCH",
        "/lro/patch/202/retry/asyncAndLocationHeader",
        "LROPatch202WithAsyncAndLocationHeader",
        {**PRODUCT, "id": "/lro/patch/202/retry/asyncAndLocationHeader"},
    ),
    well("DELETE", "/lro/deleteasync/noheader/202/204", "LRODeleteAsyncNoHeaderInRetry", STATUS),
    well("DELETE", "/lro/deleteasync/retry/succeeded", "LRODeleteAsyncRetrySucceeded", STATUS),
    well("DELETE", "/lro/deleteasync/noretry/succeeded", "LRODeleteAsyncNoRetrySucceeded", STATUS),
    broken("DELETE", "/lro/deleteasync/retry/failed", "LRODeleteAsyncRetryFailed", _RAN_OUT),
    broken("DELETE", "/lro/deleteasync/retry/canceled", "LRODeleteAsyncRetryCanceled", _STOPPED),
    well("POST", "/lro/list", "LROPostAndGetList", [BARE]),
    well("POST", "/lro/postasync/retry/succeeded", "LROPostAsyncRetrySucceeded", PRODUCT),
    well("POST", "/lro/postasync/noretry/succeeded", "LROPostAsyncNoRetrySucceeded", PRODUCT),
    broken(
        "POST", "/lro/postasync/retry/failed", "LROPostAsyncRetryFailed", "ended as Failed: 500: Internal Server Error"
    ),
    broken("POST", "/lro/postasync/retry/canceled", "LROPostAsyncRetryCanceled", _STOPPED),
    well(
        "POST",
        "/lro/LROPostDoubleHeadersFinalLocationGet",
        "LROPostDoubleHeadersFinalLocationGet",
        BARE,
        final="location",
    ),
    well(
        "POST",
        "/lro/LROPostDoubleHeadersFinalAzureHeaderGet",
        "LROPostDoubleHeadersFinalAzureHeaderGet",
        {"status": "succeeded", "id": "100"},
        final="azure-async-operation",
    ),
    well(
        "POST",
        "/lro/LROPostDoubleHeadersFinalAzureHeaderGetDefault",
        "LROPostDoubleHeadersFinalAzureHeaderGetDefault",
        BARE,
    ),
    # 500 at first, once at the beginning and once at each address
    well("PUT", "/lro/retryerror/put/201/creating/succeeded/200", "LRORetryPutSucceededWithBody", PRODUCT, tries=2),
    well("PUT", "/lro/retryerror/putasync/retry/succeeded", "LRORetryErrorPutAsyncSucceeded", PRODUCT, tries=2),
    well(
        "DELETE",
        "/lro/retryerror/delete/provisioning/202/accepted/200/succeeded",
        "LRORetryErrorDelete202Accepted200Succeeded",
        PRODUCT,
        tries=2,
    ),
    well("DELETE", "/lro/retryerror/delete/202/retry/200", "LRORetryErrorDelete202Retry200Succeeded", PRODUCT, tries=2),
    well(
        "DELETE",
        "/lro/retryerror/deleteasync/retry/succeeded",
        "LRORetryErrorDeleteAsyncRetrySucceeded",
        STATUS,
        tries=2,
    ),
    well("POST", "/lro/retryerror/post/202/retry/200", "LRORetryErrorPost202Retry200Succeeded", PRODUCT, tries=2),
    well("POST", "/lro/retryerror/postasync/retry/succeeded", "LRORetryErrorPostAsyncRetrySucceeded", SKU, tries=2),
    # 400, at the beginning or on the way
    refused("PUT", "/lro/nonretryerror/put/400", "LRONonRetryPut400"),
    refused("DELETE", "/lro/nonretryerror/delete/400", "LRONonRetryDelete400"),
    refused("POST", "/lro/nonretryerror/post/400", "LRONonRetryPost400"),
    broken("PUT", "/lro/nonretryerror/put/201/creating/400", "LRONonRetryPut201Creating400", "Error from the server"),
    broken(
        "PUT",
        "/lro/nonretryerror/put/201/creating/400/invalidjson",
        "LRONonRetryPut201Creating400InvalidJson",
        "Error from the server",
    ),
    broken("PUT", "/lro/nonretryerror/putasync/retry/400", "LRONonRetryPutAsyncRetry400", "HTTP 400"),
    broken("DELETE", "/lro/nonretryerror/delete/202/retry/400", "LRONonRetryDelete202Retry400", _BAD_REQUEST),
    broken("DELETE", "/lro/nonretryerror/deleteasync/retry/400", "LRONonRetryDeleteAsyncRetry400", _BAD_REQUEST),
    broken("POST", "/lro/nonretryerror/post/202/retry/400", "LRONonRetryPost202Retry400", _BAD_REQUEST),
    broken("POST", "/lro/nonretryerror/postasync/retry/400", "LRONonRetryPostAsyncRetry400", _BAD_REQUEST),
    # answers that make no sense
    broken(
        "PUT", "/lro/error/put/201/noprovisioningstatepayload", "LROErrorPut201NoProvisioningStatePayload", _NO_BODY
    ),
    broken("PUT", "/lro/error/putasync/retry/nostatus", "LROErrorPutAsyncNoPollingStatus", _NO_STATUS),
    broken("PUT", "/lro/error/putasync/retry/nostatuspayload", "LROErrorPutAsyncNoPollingStatusPayload", _NO_BODY),
    broken("DELETE", "/lro/error/deleteasync/retry/nostatus", "LROErrorDeleteAsyncNoPollingStatus", _NO_STATUS),
    broken("POST", "/lro/error/postasync/retry/nopayload", "LROErrorPostAsyncNoPollingPayload", _NO_BODY),
    broken("POST", "/lro/error/post/202/nolocation", "LROErrorPostNoLocation", "no address to ask for its end"),
    broken("PUT", "/lro/error/put/200/invalidjson", "LROErrorPut200InvalidJson", _NO_JSON),
    broken("PUT", "/lro/error/putasync/retry/invalidjsonpolling", "LROErrorPutAsyncInvalidJsonPolling", _NO_JSON),
    broken(
        "DELETE", "/lro/error/deleteasync/retry/invalidjsonpolling", "LROErrorDeleteAsyncInvalidJsonPolling", _NO_JSON
    ),
    broken("POST", "/lro/error/postasync/retry/invalidjsonpolling", "LROErrorPostAsyncInvalidJsonPolling", _NO_JSON),
    # Retry-After: /bar, and an address that leads nowhere
    broken("PUT", "/lro/error/putasync/retry/invalidheader", "LROErrorPutAsyncInvalidHeader", _NOWHERE),
    broken("DELETE", "/lro/error/delete/202/retry/invalidheader", "LROErrorDelete202RetryInvalidHeader", _NOWHERE),
    broken("DELETE", "/lro/error/deleteasync/retry/invalidheader", "LROErrorDeleteAsyncInvalidHeader", _NOWHERE),
    broken("POST", "/lro/error/post/202/retry/invalidheader", "LROErrorPost202RetryInvalidHeader", _NOWHERE),
    broken("POST", "/lro/error/postasync/retry/invalidheader", "LROErrorPostAsyncInvalidHeader", _NOWHERE),
    # every question must carry the request's own id
    well("PUT", "/lro/customheader/putasync/retry/succeeded", "CustomHeaderPutAsyncSucceded", PRODUCT),
    well("PUT", "/lro/customheader/put/201/creating/succeeded/200", "CustomHeaderPutSucceeded", PRODUCT),
    well("POST", "/lro/customheader/post/202/retry/200", "CustomHeaderPostSucceeded"),
    well("POST", "/lro/customheader/postasync/retry/succeeded", "CustomHeaderPostAsyncSucceded", STATUS),
)

# Beside the 81: addresses that are paths, to be read against where the operation began.
RELATIVE = (
    well("POST", "/lroParameterizedEndpoints", "LROParameterizedEndpoint", "success", final="location"),
    well("POST", "/lroConstantParameterizedEndpoints/iAmConstant", "LROConstantParameterizedGet", "success"),
)
