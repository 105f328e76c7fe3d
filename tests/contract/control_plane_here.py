"""A real control plane on this machine for as long as a test session: etcd, API server, controllers, scheduler.

Pods run nowhere: one stand-in node takes part instead of a kubelet, the idea of kwok. It does with a pod what a kubelet
would tell the API server about it, and nothing else: everything above it is real.
"""

import contextlib
import ctypes
import datetime
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import client, config, watch
from kubernetes.client import ApiException
from workspace.rehearsal.serving import Certificate, certificate

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import control_plane

Body = dict[str, Any]

NODE = "conformance-0"
FALSE = ["/bin/false"]
_START_SECONDS = 120
_TOKEN = "conformance"


@dataclass
class Running:
    """A control plane that answers: its kubeconfig as a file, and where its etcd is."""

    kubeconfig: Path
    etcd: str

    def compact(self) -> None:
        """Make etcd forget everything but the present; the API server's own memory of changes stays."""
        found = self._etcd("/v3/kv/range", {"key": "AA=="})
        self._etcd("/v3/kv/compaction", {"revision": found["header"]["revision"], "physical": True})

    def _etcd(self, path: str, body: Body) -> Any:
        response = urllib3.request("POST", self.etcd + path, json=body, timeout=10)
        assert response.status == 200, response.data
        return response.json()


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Running]:
    """Start everything in the directory, wait until it answers, and end it by its process ids."""
    plane = control_plane.here()
    if not plane.built:
        raise RuntimeError("the control plane is not built; run: make control-plane (once, about ten minutes)")
    tls = certificate(directory / "tls")
    etcd, peer, secure, managing, scheduling = _free_ports(5)
    found = Running(_kubeconfig(directory, tls, secure), f"http://127.0.0.1:{etcd}")
    words = {
        "etcd": _etcd_words(directory, etcd, peer),
        "kube-apiserver": _api_words(directory, tls, secure, etcd),
        "kube-controller-manager": _manager_words(directory, found.kubeconfig, managing),
        "kube-scheduler": _scheduler_words(found.kubeconfig, scheduling),
    }
    with contextlib.ExitStack() as started:
        for name, arguments in words.items():
            started.enter_context(_process(directory, plane.program(name), arguments))
            if name == "kube-apiserver":
                _wait_ready(directory, secure)
        node = Node(found.kubeconfig)
        started.callback(node.close)
        yield found


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _kubeconfig(directory: Path, tls: Certificate, port: int) -> Path:
    (directory / "tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (directory / "accounts.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    file = directory / "kubeconfig"
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(tls.certificate)}
    given = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
        "current-context": "here",
    }
    file.write_text(json.dumps(given))
    return file


def _etcd_words(directory: Path, port: int, peer: int) -> list[str]:
    here, other = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    return [
        f"--data-dir={directory}/etcd",
        f"--listen-client-urls={here}",
        f"--advertise-client-urls={here}",
        f"--listen-peer-urls={other}",
        f"--initial-advertise-peer-urls={other}",
        f"--initial-cluster=default={other}",
        "--unsafe-no-fsync",
    ]


def _api_words(directory: Path, tls: Certificate, port: int, etcd: int) -> list[str]:
    accounts = directory / "accounts.key"
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--cert-dir={directory}/certificates",
        f"--tls-cert-file={tls.certificate}",
        f"--tls-private-key-file={tls.key}",
        f"--secure-port={port}",
        "--insecure-port=0",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={accounts}",
        f"--service-account-key-file={accounts}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={directory}/tokens.csv",
    ]


def _manager_words(directory: Path, kubeconfig: Path, port: int) -> list[str]:
    return [
        *(f"--{which}kubeconfig={kubeconfig}" for which in ("", "authentication-", "authorization-")),
        f"--cert-dir={directory}/certificates",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--port=0",
        "--leader-elect=false",
        f"--service-account-private-key-file={directory}/accounts.key",
        "--use-service-account-credentials=false",
        # The node here reports once; nobody must conclude from its silence that it is dead.
        "--controllers=*,-nodelifecycle,-attachdetach,-ttl",
    ]


def _scheduler_words(kubeconfig: Path, port: int) -> list[str]:
    where = ["--bind-address=127.0.0.1", f"--secure-port={port}", "--port=0"]
    return [f"--kubeconfig={kubeconfig}", *where, "--leader-elect=false"]


@contextlib.contextmanager
def _process(directory: Path, program: Path, words: list[str]) -> Iterator[None]:
    with (directory / f"{program.name}.log").open("wb") as log:
        started = subprocess.Popen(
            [str(program), *words], stdout=log, stderr=log, cwd=directory, preexec_fn=_end_with_parent
        )
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(10)


def _end_with_parent() -> None:
    """Have the kernel end this process when the test session goes, however it goes."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _wait_ready(directory: Path, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    pool = urllib3.PoolManager(ca_certs=str(directory / "tls" / "certificate.pem"), retries=False)
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    while True:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if pool.request("GET", f"https://127.0.0.1:{port}/readyz", headers=headers, timeout=5).status == 200:
                return
        if time.monotonic() > deadline:
            said = (directory / "kube-apiserver.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the API server was not ready after {_START_SECONDS} s: {said}")
        time.sleep(0.1)


class Node:
    """One node that runs nothing: the scheduler's pods become what a kubelet would say of them.

    An image called `absent` cannot be pulled, a container whose command is /bin/false crashes, a readiness probe that
    runs /bin/false never holds; everything else runs and is ready at once.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._api = config.new_client_from_config(str(kubeconfig))
        self._core = client.CoreV1Api(self._api)
        self._stop = threading.Event()
        self._count = 0
        self._join()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop taking part."""
        self._stop.set()
        self._thread.join(5)
        self._api.close()

    def _join(self) -> None:
        self._core.create_node({"metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}})
        room = {"cpu": "64", "memory": "128Gi", "pods": "500"}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": _now()}
        status = {"capacity": room, "allocatable": room, "conditions": [{**ready, "lastHeartbeatTime": _now()}]}
        self._core.patch_node_status(NODE, {"status": status})
        # The API server keeps a new node closed until the controller that is switched off here has seen it.
        self._core.patch_node(NODE, {"spec": {"taints": None}})

    def _serve(self) -> None:
        seen = watch.Watch()
        while not self._stop.is_set():
            with contextlib.suppress(ApiException, urllib3.exceptions.HTTPError):
                for event in seen.stream(self._core.list_pod_for_all_namespaces, timeout_seconds=2):
                    if self._stop.is_set():
                        return
                    if event["type"] in ("ADDED", "MODIFIED") and event["raw_object"]["spec"].get("nodeName"):
                        self._take(event["raw_object"])

    def _take(self, pod: Body) -> None:
        try:
            self._do(pod)
        except ApiException as error:
            if error.status not in (404, 409):
                raise

    def _do(self, pod: Body) -> None:
        metadata = pod["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        if metadata.get("deletionTimestamp"):
            only = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
            self._core.delete_namespaced_pod(name, namespace, body=only)
        elif pod["status"].get("phase") == "Pending" and not pod["status"].get("containerStatuses"):
            self._count += 1
            status = reported(pod, f"10.244.{self._count // 250}.{self._count % 250 + 1}")
            self._core.patch_namespaced_pod_status(name, namespace, {"status": status})
            self._tell(pod, status)

    def _tell(self, pod: Body, status: Body) -> None:
        """The event that a kubelet sends about a container that does not run."""
        for each in status["containerStatuses"]:
            waiting = each["state"].get("waiting")
            if waiting:
                self._core.create_namespaced_event(pod["metadata"]["namespace"], _event(pod, waiting))


def reported(pod: Mapping[str, Any], address: str) -> Body:
    """What a kubelet says about a pod once it has tried to start it."""
    if pod["spec"].get("restartPolicy") != "Always":
        return _ended(pod, address)
    containers = [_container(each) for each in pod["spec"]["containers"]]
    running = all("running" in each["state"] for each in containers)
    ready = all(each["ready"] for each in containers)
    unready = [each["name"] for each in containers if not each["ready"]]
    why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
    conditions = [
        {"type": "Initialized", "status": "True"},
        {"type": "Ready", "status": str(ready), **({} if ready else why)},
        {"type": "ContainersReady", "status": str(ready), **({} if ready else why)},
    ]
    pulled = all("imageID" in each and each["imageID"] for each in containers)
    return {
        "phase": "Running" if running or pulled else "Pending",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": _now(),
        "conditions": [{**each, "lastTransitionTime": _now()} for each in conditions],
        "containerStatuses": containers,
    }


def _ended(pod: Mapping[str, Any], address: str) -> Body:
    """What is to run once has run at once, and well."""
    done = {"exitCode": 0, "reason": "Completed", "startedAt": _now(), "finishedAt": _now()}
    told = [
        {"name": each["name"], "image": each["image"], "imageID": each["image"], "ready": False, "restartCount": 0}
        for each in pod["spec"]["containers"]
    ]
    statuses = [{**each, "state": {"terminated": done}} for each in told]
    return {"phase": "Succeeded", "podIP": address, "startTime": _now(), "containerStatuses": statuses}


def _container(given: Mapping[str, Any]) -> Body:
    name, image = given["name"], given["image"]
    told: Body = {"name": name, "image": image, "imageID": image, "ready": False, "restartCount": 0, "started": False}
    if "/absent" in image:
        said = f'Back-off pulling image "{image}"'
        return {**told, "imageID": "", "state": {"waiting": {"reason": "ImagePullBackOff", "message": said}}}
    if given.get("command") == FALSE:
        ended = {"exitCode": 1, "reason": "Error", "startedAt": _now(), "finishedAt": _now()}
        said = f"back-off 10s restarting failed container={name}"
        waiting = {"reason": "CrashLoopBackOff", "message": said}
        return {**told, "restartCount": 2, "state": {"waiting": waiting}, "lastState": {"terminated": ended}}
    probe = (given.get("readinessProbe") or {}).get("exec", {}).get("command")
    return {**told, "ready": probe != FALSE, "started": True, "state": {"running": {"startedAt": _now()}}}


def _event(pod: Body, waiting: Body) -> Body:
    metadata = pod["metadata"]
    involved = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "namespace": metadata["namespace"]}
    return {
        "metadata": {"generateName": f"{metadata['name']}."},
        "involvedObject": {**involved, "uid": metadata["uid"]},
        "reason": "Failed" if waiting["reason"] == "ImagePullBackOff" else "BackOff",
        "message": waiting["message"],
        "source": {"component": "kubelet", "host": NODE},
        "type": "Warning",
        "count": 1,
        "firstTimestamp": _now(),
        "lastTimestamp": _now(),
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
