"""Rules for who issues certificates where."""

from collections.abc import Iterator, Sequence

from workspace.preflight.across_environments import canonical
from workspace.preflight.across_trees import Trees
from workspace.preflight.finding import Finding, Rule, Severity
from workspace.preflight.kubernetes_hosts import issued
from workspace.preflight.kubernetes_scene import Scene, Thing

MIXED = Rule(
    "tls/issuers-mixed",
    Severity.RISK,
    "An environment before production some of whose certificates are trusted and some are not.",
    "Two services had the staging issuer and the third one, forgotten, the one that browsers trust.",
    "Name the environment's issuer in all of its certificates.",
)
LIMIT = Rule(
    "tls/trusted-issuer-in-tests",
    Severity.NOTE,
    "An environment before production that asks the issuer which production depends on.",
    "Let's Encrypt gives out 50 certificates per registered domain and week and 5 for the same hosts: a cluster made "
    "anew every night uses up what production needs.",
    "Use the staging issuer there.",
)
CONTACT = Rule(
    "tls/no-contact",
    Severity.NOTE,
    "An ACME issuer without an address for mail.",
    "The authority can tell nobody when it must revoke certificates, and the account cannot be recovered.",
    "Set spec.acme.email.",
)
RULES = (MIXED, LIMIT, CONTACT)

_KINDS = ("Certificate", "Ingress", "Gateway")


def check(trees: Trees) -> Iterator[Finding]:
    """What is wrong with issuers."""
    for scene in trees.scenes:
        yield from _contacts(scene)
        if scene.whole and canonical(scene.environment) not in ("", "prod"):
            yield from _issuers(scene, trees.scenes)


def _contacts(scene: Scene) -> Iterator[Finding]:
    for each in scene.of("ClusterIssuer", "Issuer"):
        if each.at("spec", "acme") and not each.at("spec", "acme", "email"):
            yield scene.find(CONTACT, each.place("spec", "acme"), f"{each} has no address for mail.")


def _issuers(scene: Scene, everywhere: Sequence[Scene]) -> Iterator[Finding]:
    asked = [
        (thing, path, server)
        for thing in scene.of(*_KINDS)
        for path, kind, name in issued(thing)
        if (server := _server(scene, everywhere, kind, name))
    ]
    trusted = [each for each in asked if "letsencrypt.org" in each[2] and "staging" not in each[2]]
    for thing, path, _ in trusted:
        if len(trusted) < len(asked):
            what = f"{thing} of {scene.environment} has the trusted issuer, and other certificates there have not."
            yield scene.find(MIXED, thing.place(*path), what)
        else:
            what = f"{thing} of {scene.environment} is issued by the authority that production depends on."
            yield scene.find(LIMIT, thing.place(*path), what)


def _server(scene: Scene, everywhere: Sequence[Scene], kind: str, name: str) -> str:
    scenes: Sequence[Scene] = (scene, *everywhere) if kind == "ClusterIssuer" else (scene,)
    found: Thing | None = next((one for each in scenes if (one := each.one(kind, name))), None)
    return str(found.at("spec", "acme", "server") or "") if found else ""
