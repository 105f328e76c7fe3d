"""cert-manager as far as a promotion sees it: issuers, certificates, requests, and the secrets that come of them.

A certificate of an ACME issuer is issued when the world lets it: `issue(names)` returns the obstacle (no record yet)
or nothing. Until then it waits, with the words cert-manager has for it.
"""

import base64
import datetime
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from workspace.rehearsal.cluster_control import Place, conditioned, holds, owned, owner
from workspace.rehearsal.cluster_store import now
from workspace.rehearsal.cluster_traffic import running
from workspace.rehearsal.cluster_verbs import Server, Writer

Body = dict[str, Any]

GROUP = "cert-manager.io"
_ACME = "acme.cert-manager.io"
_MANAGER = Writer("cert-manager-certificates-issuing", inside=True)
_SHIM = Writer("cert-manager-certificates-shim", inside=True)
_LIFE = datetime.timedelta(days=90)
_RETRY_FAILED = 3600
_LONGEST_WAIT = 2.0
_FAILING = {"Failed", "RateLimited"}


def _alive(place: Place) -> bool:
    return not place.cert_manager_must_run or running(place.server, "cert-manager")


def issuer(place: Place, namespace: str, name: str) -> float | None:
    """Make an Issuer or, without a namespace, a ClusterIssuer ready."""
    kind = "Issuer" if namespace else "ClusterIssuer"
    body = place.server.find(kind, namespace, name)
    if body is None or not _alive(place):
        return None
    generation = {"observedGeneration": body["metadata"]["generation"]}
    listed = body.get("status", {}).get("conditions", [])
    conditions = conditioned(listed, "Ready", *_issuer_state(place.server, body), **generation)
    status: Body = {"conditions": conditions}
    if "acme" in body["spec"]:
        account = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
        acme = body["spec"]["acme"]
        status["acme"] = {"uri": f"{acme['server'].rsplit('/', 1)[0]}/acme/acct/{account}"}
        status["acme"] |= {"lastRegisteredEmail": acme["email"]} if acme.get("email") else {}
    place.server.set_status(kind, body, status, _MANAGER)
    return None


def cluster_issuer(place: Place, _: str, name: str) -> float | None:
    """Make a ClusterIssuer ready."""
    return issuer(place, "", name)


def _issuer_state(server: Server, body: Body) -> tuple[str, str, str]:
    spec = body["spec"]
    if "acme" in spec:
        if not spec["acme"].get("server") or not (spec["acme"].get("privateKeySecretRef") or {}).get("name"):
            return (
                "False",
                "InvalidConfig",
                "Resource validation failed: spec.acme: server and privateKeySecretRef are required",
            )
        return "True", "ACMEAccountRegistered", "The ACME account was registered with the ACME server"
    if "selfSigned" in spec:
        return "True", "IsReady", ""
    if "ca" in spec:
        name, namespace = spec["ca"].get("secretName", ""), body["metadata"].get("namespace", "cert-manager")
        if server.find("Secret", namespace, name) is None:
            return "False", "ErrGetKeyPair", f'Error getting keypair for CA issuer: secrets "{name}" not found'
        return "True", "KeyPairVerified", "Signing CA verified"
    return "False", "ErrorConfig", "the issuer names no kind of authority that a rehearsal knows"


def certificate(place: Place, namespace: str, name: str) -> float | None:
    """Bring a Certificate one step on, up to the secret it is for."""
    body = place.server.find("Certificate", namespace, name)
    if body is None or body["metadata"].get("deletionTimestamp") or not _alive(place):
        return None
    secret = place.server.find("Secret", namespace, body["spec"]["secretName"])
    why = _reissue_reason(body, secret)
    if not why:
        _settled(place, body)
        return None
    failed_at = body.get("_failed_at", 0.0) + _RETRY_FAILED * place.deadline_scale
    if failed_at > time.time():
        return float(failed_at - time.time())
    return _issue(place, body, why)


def _reissue_reason(body: Body, secret: Body | None) -> tuple[str, str] | None:
    """Why a certificate must be issued: there is none, or it is for other names or from another issuer."""
    if secret is None:
        return "DoesNotExist", "Issuing certificate as Secret does not exist"
    annotations = secret["metadata"].get("annotations") or {}
    if not (secret.get("data") or {}).get("tls.crt"):
        return "MissingData", "Issuing certificate as Secret does not contain a certificate"
    reference = body["spec"]["issuerRef"]
    wanted = (reference["name"], reference.get("kind", "Issuer"))
    if (annotations.get(f"{GROUP}/issuer-name"), annotations.get(f"{GROUP}/issuer-kind")) != wanted:
        said = f"Issuing certificate as Secret was previously issued by {annotations.get(f'{GROUP}/issuer-kind')}"
        return "IncorrectIssuer", f"{said}.{GROUP}/{annotations.get(f'{GROUP}/issuer-name')}"
    if annotations.get(f"{GROUP}/alt-names", "").split(",") != _names(body):
        return "SecretMismatch", "Existing issued Secret is not up to date for spec: [spec.dnsNames]"
    return None


def _names(body: Body) -> list[str]:
    spec = body["spec"]
    return list(spec.get("dnsNames") or [spec.get("commonName", "")])


def _settled(place: Place, body: Body) -> None:
    generation = {"observedGeneration": body["metadata"]["generation"]}
    said = "Certificate is up to date and has not expired"
    before = body.get("status", {})
    listed = [each for each in before.get("conditions", []) if each["type"] != "Issuing"]
    conditions = conditioned(listed, "Ready", "True", "Ready", said, **generation)
    place.server.set_status("Certificate", body, {**before, "conditions": conditions}, _MANAGER)


def _issue(place: Place, body: Body, why: tuple[str, str]) -> float | None:
    generation = {"observedGeneration": body["metadata"]["generation"]}
    listed = body.get("status", {}).get("conditions", [])
    if not holds(body, "Issuing"):
        place.server.event(body, "Certificate", "Issuing", why[1], "cert-manager-certificates-trigger", warning=False)
    conditions = conditioned(listed, "Ready", "False", *why, **generation)
    conditions = conditioned(conditions, "Issuing", "True", *why, **generation)
    status = {**body.get("status", {}), "conditions": conditions}
    began = body.get("_began") or time.time()
    fresh = place.server.set_status("Certificate", body, status, _MANAGER, {"_began": began}) or body
    request = _request(place, fresh)
    verdict = _verdict(place, fresh)
    _tell_request(place, request, verdict)
    if verdict.word == "Failed":
        return _fail(place, fresh, verdict.why)
    if verdict.word == "Pending":
        waited = time.time() - began
        return min(max(place.pace, waited / 4), max(_LONGEST_WAIT, place.pace))
    left = began + place.pace - time.time()
    if left > 0:
        return float(left)
    _store(place, fresh)
    return None


@dataclass(frozen=True)
class Verdict:
    """How an issuing stands: Issued, Pending with the obstacle, or Failed with what the authority said."""

    word: str
    why: str = ""
    acme: bool = False
    names: tuple[str, ...] = ()


def _verdict(place: Place, body: Body) -> Verdict:
    reference, names = body["spec"]["issuerRef"], tuple(_names(body))
    kind = reference.get("kind", "Issuer")
    namespace = body["metadata"]["namespace"] if kind == "Issuer" else ""
    found = place.server.find(kind, namespace, reference["name"])
    if found is None:
        said = f'Referenced "{kind}" not found: {kind.lower()}.{GROUP} "{reference["name"]}" not found'
        return Verdict("Pending", said)
    if not holds(found, "Ready"):
        return Verdict("Pending", "Referenced issuer does not have a Ready status condition")
    acme = "acme" in found["spec"]
    fault = place.faults.find("certificate", body["metadata"]["name"])
    if fault and fault.how in _FAILING:
        limited = "429 urn:ietf:params:acme:error:rateLimited: too many certificates already issued"
        said = limited if fault.how == "RateLimited" else "the authority refused the order"
        return Verdict("Failed", said, acme, names)
    obstacle = place.issue(list(names)) if acme else ""
    if fault:
        obstacle = str(fault.details.get("message") or "the authority has not answered the challenge yet")
    return Verdict("Pending" if obstacle else "Issued", obstacle, acme, names)


def _request(place: Place, body: Body) -> Body | None:
    """The CertificateRequest of this issuing, when the cluster serves that kind."""
    if place.server.kinds.named("CertificateRequest") is None:
        return None
    revision = int(body.get("status", {}).get("revision", 0)) + 1
    name = f"{body['metadata']['name']}-{revision}"
    namespace = body["metadata"]["namespace"]
    found = place.server.find("CertificateRequest", namespace, name)
    if found:
        return found
    reference = body["spec"]["issuerRef"]
    made = {
        "metadata": {
            "name": name,
            "annotations": {f"{GROUP}/certificate-name": body["metadata"]["name"]},
            "ownerReferences": [owner(body, "Certificate")],
        },
        "spec": {"issuerRef": reference, "request": base64.b64encode(b"rehearsal").decode()},
    }
    component = "cert-manager-certificates-request-manager"
    said = f'Created new CertificateRequest resource "{name}"'
    place.server.event(body, "Certificate", "Requested", said, component, warning=False)
    return place.server.create(place.server.kind("CertificateRequest"), namespace, made, _MANAGER)


def _tell_request(place: Place, request: Body | None, verdict: Verdict) -> None:
    if request is None:
        return
    listed = request.get("status", {}).get("conditions", [])
    approved = "Certificate request has been approved by cert-manager.io"
    listed = conditioned(listed, "Approved", "True", "cert-manager.io", approved)
    said = verdict.why
    if verdict.acme:
        said = _tell_order(place, request, verdict)
    words = {
        "Issued": ("True", "Issued", "Certificate fetched from issuer successfully"),
        "Pending": ("False", "Pending", said),
        "Failed": ("False", "Failed", said),
    }[verdict.word]
    listed = conditioned(listed, "Ready", *words)
    status = {**request.get("status", {}), "conditions": listed}
    place.server.set_status("CertificateRequest", request, status, _MANAGER)


def _tell_order(place: Place, request: Body, verdict: Verdict) -> str:
    """Keep the ACME order and its challenges, which hold the true reason; returns what the request says of them."""
    name, namespace = request["metadata"]["name"], request["metadata"]["namespace"]
    token = int(hashlib.sha256(request["metadata"]["uid"].encode()).hexdigest()[:8], 16)
    order_name = f"{name}-{token}"
    state = {"Issued": "valid", "Pending": "pending", "Failed": "errored"}[verdict.word]
    reference = request["spec"]["issuerRef"]
    if place.server.kinds.named("Order", _ACME) is None:
        return f'Waiting on certificate issuance from order {namespace}/{order_name}: "{state}": {verdict.why}'
    spec = {"dnsNames": list(verdict.names), "issuerRef": reference, "request": request["spec"]["request"]}
    order = _kept(place, "Order", order_name, request, "CertificateRequest", spec)
    status = {"state": state, "reason": verdict.why} if state == "errored" else {"state": state}
    place.server.set_status("Order", order, status, _MANAGER)
    _tell_challenges(place, order, verdict)
    if state == "errored":
        words = f'Failed to wait for order resource "{order_name}" to become ready: order is in "errored" state:'
        return f"{words} {verdict.why}"
    return f'Waiting on certificate issuance from order {namespace}/{order_name}: "{state}"'


def _tell_challenges(place: Place, order: Body, verdict: Verdict) -> None:
    known = place.server.kinds.named("Challenge", _ACME)
    if known is None:
        return
    for host in verdict.names:
        name = f"{order['metadata']['name']}-{int(hashlib.sha256(host.encode()).hexdigest()[:8], 16)}"
        if verdict.word == "Pending":
            spec = {"type": "HTTP-01", "dnsName": host, "token": name, "issuerRef": order["spec"]["issuerRef"]}
            body = _kept(place, "Challenge", name, order, "Order", spec)
            url = f"http://{host}/.well-known/acme-challenge/{name}"
            check = f"failed to perform self check GET request '{url}': {verdict.why}"
            said = f"Waiting for HTTP-01 challenge propagation: {check}"
            status = {"presented": True, "processing": True, "state": "pending", "reason": said}
            place.server.set_status("Challenge", body, status, _MANAGER)
        elif place.server.find("Challenge", order["metadata"]["namespace"], name):
            place.server.delete(known, order["metadata"]["namespace"], name, {})


def _kept(place: Place, kind: str, name: str, parent: Body, parent_kind: str, spec: Body) -> Body:
    namespace = parent["metadata"]["namespace"]
    found = place.server.find(kind, namespace, name)
    if found:
        return found
    made = {"metadata": {"name": name, "ownerReferences": [owner(parent, parent_kind)]}, "spec": spec}
    return place.server.create(place.server.kind(kind), namespace, made, _MANAGER)


def _fail(place: Place, body: Body, said: str) -> float:
    generation = {"observedGeneration": body["metadata"]["generation"]}
    words = f"The certificate request has failed to complete and will be retried: {said}"
    listed = body.get("status", {}).get("conditions", [])
    conditions = conditioned(listed, "Issuing", "False", "Failed", words, **generation)
    before = body.get("status", {})
    attempts = int(before.get("failedIssuanceAttempts", 0)) + 1
    status = {**before, "conditions": conditions, "lastFailureTime": now(), "failedIssuanceAttempts": attempts}
    place.server.event(body, "Certificate", "Failed", words, "cert-manager-certificates-issuing")
    place.server.set_status("Certificate", body, status, _MANAGER, {"_failed_at": time.time(), "_began": None})
    return _RETRY_FAILED * place.deadline_scale


def _store(place: Place, body: Body) -> None:
    """Write the secret and say that the certificate is there."""
    names, began = _names(body), datetime.datetime.now(datetime.UTC)
    pem, key = self_signed(names, body["spec"]["issuerRef"]["name"], began)
    reference, metadata = body["spec"]["issuerRef"], body["metadata"]
    annotations = {
        f"{GROUP}/certificate-name": metadata["name"],
        f"{GROUP}/alt-names": ",".join(names),
        f"{GROUP}/common-name": names[0],
        f"{GROUP}/issuer-name": reference["name"],
        f"{GROUP}/issuer-kind": reference.get("kind", "Issuer"),
        f"{GROUP}/issuer-group": reference.get("group", GROUP),
    }
    data = {"tls.crt": base64.b64encode(pem).decode(), "tls.key": base64.b64encode(key).decode()}
    name, namespace = body["spec"]["secretName"], metadata["namespace"]
    live = place.server.find("Secret", namespace, name)
    if live is None:
        made = {"metadata": {"name": name, "annotations": annotations}, "type": "kubernetes.io/tls", "data": data}
        place.server.create(place.server.kind("Secret"), namespace, made, _MANAGER)
    else:

        def new(each: Body) -> Body:
            each["metadata"]["annotations"] = {**(each["metadata"].get("annotations") or {}), **annotations}
            return {**each, "data": {**(each.get("data") or {}), **data}}

        place.server.change("Secret", live, new, _MANAGER)
    said = "The certificate has been successfully issued"
    place.server.event(body, "Certificate", "Issuing", said, "cert-manager-certificates-issuing", warning=False)
    ends = began + _LIFE
    status = {
        **{
            key: value
            for key, value in body.get("status", {}).items()
            if key not in ("lastFailureTime", "failedIssuanceAttempts")
        },
        "notBefore": _moment(began),
        "notAfter": _moment(ends),
        "renewalTime": _moment(ends - _LIFE / 3),
        "revision": int(body.get("status", {}).get("revision", 0)) + 1,
    }
    fresh = place.server.set_status("Certificate", body, status, _MANAGER, {"_began": None, "_failed_at": 0.0})
    if fresh:
        _settled(place, fresh)


def _moment(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def self_signed(names: list[str], authority: str, began: datetime.datetime) -> tuple[bytes, bytes]:
    """A certificate for these names that a rehearsal's issuer might have given, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"rehearsal {authority}"[:64])])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began - datetime.timedelta(minutes=5))
        .not_valid_after(began + _LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return signed.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)


def shim(place: Place, kind: str, body: Body) -> None:
    """Make the Certificates that an annotated Ingress or Gateway asks for."""
    known = place.server.kinds.named("Certificate", GROUP)
    reference = _annotated_issuer(body)
    if known is None or reference is None or not _alive(place):
        return
    namespace = body["metadata"]["namespace"]
    wanted = dict(_wanted_certificates(kind, body))
    for name, hosts in wanted.items():
        spec = {
            "secretName": name,
            "dnsNames": hosts,
            "issuerRef": reference,
            "usages": ["digital signature", "key encipherment"],
        }
        live = place.server.find("Certificate", namespace, name)
        if live is None:
            made = {"metadata": {"name": name, "ownerReferences": [owner(body, kind)]}, "spec": spec}
            place.server.create(known, namespace, made, _SHIM)
        elif body["metadata"]["uid"] in str(live["metadata"].get("ownerReferences")):
            _respecify(place, live, spec)
    for each in owned(place.server, "Certificate", body):
        if each["metadata"]["name"] not in wanted:
            place.server.delete(known, namespace, each["metadata"]["name"], {})


def _respecify(place: Place, live: Body, spec: Body) -> None:
    def new(each: Body) -> Body:
        return {**each, "spec": {**each["spec"], **spec}}

    place.server.change("Certificate", live, new, _SHIM)


def _annotated_issuer(body: Body) -> Body | None:
    annotations = body["metadata"].get("annotations") or {}
    for key, kind in (("cluster-issuer", "ClusterIssuer"), ("issuer", "Issuer")):
        if annotations.get(f"{GROUP}/{key}"):
            return {"name": annotations[f"{GROUP}/{key}"], "kind": kind, "group": GROUP}
    return None


def _wanted_certificates(kind: str, body: Body) -> Iterator[tuple[str, list[str]]]:
    if kind == "Ingress":
        for each in body["spec"].get("tls") or []:
            if each.get("secretName") and each.get("hosts"):
                yield each["secretName"], list(each["hosts"])
        return
    found: dict[str, list[str]] = {}
    for listener in body["spec"]["listeners"]:
        tls = listener.get("tls") or {}
        if listener.get("hostname") and tls.get("mode", "Terminate") == "Terminate":
            for each in tls.get("certificateRefs") or []:
                found.setdefault(each["name"], []).append(listener["hostname"])
    yield from found.items()
