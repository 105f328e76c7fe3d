"""Rules for Kubernetes: what kustomizations build, and what of it a cluster would refuse, lose or leave open."""

from collections.abc import Iterator

from workspace.preflight import (
    kubernetes_hosts,
    kubernetes_kustomize,
    kubernetes_parity,
    kubernetes_pods,
    kubernetes_scale,
    kubernetes_schema,
    kubernetes_texts,
    kubernetes_traffic,
    shared,
)
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Checked, Finding, Report, Rule
from workspace.preflight.guard import attempted
from workspace.preflight.kubernetes_files import Tree
from workspace.preflight.kubernetes_scene import Scene
from workspace.preflight.kubernetes_sources import Sources

RULES: tuple[Rule, ...] = (
    *kubernetes_kustomize.RULES,
    *kubernetes_schema.RULES,
    *kubernetes_pods.RULES,
    *kubernetes_traffic.RULES,
    *kubernetes_hosts.RULES,
    *kubernetes_scale.RULES,
    *kubernetes_parity.RULES,
    *kubernetes_texts.RULES,
)


def check(checkout: Checkout) -> Report:
    """What is wrong with the manifests and kustomizations of a checkout, in all its environments."""
    tree = shared.once(checkout, Tree)
    found, failed = shared.once(checkout, shared.everywhere)
    sources = shared.once(checkout, shared.sources)
    versions = kubernetes_schema.versions(checkout)
    findings = list(attempted((kubernetes_kustomize.check,), tree, failed))
    for scene in found:
        findings += _check(scene, found, sources, versions)
        findings += attempted((kubernetes_texts.check,), scene, checkout)
    allowed = kubernetes_parity.declared(checkout)
    findings += attempted((kubernetes_parity.check,), found, allowed)
    compared = Checked("declared differences between environments", len(allowed)) if allowed else None
    looked = [*_checked(tree, found, versions), *([compared] if compared else [])]
    return Report.of([Report(tuple(looked), tuple(findings))])


def _check(scene: Scene, everywhere: list[Scene], sources: Sources, versions: tuple[str, ...]) -> Iterator[Finding]:
    yield from attempted((kubernetes_schema.check,), scene, versions)
    yield from attempted((kubernetes_pods.check,), scene, sources)
    yield from attempted((kubernetes_traffic.check, kubernetes_hosts.check), scene, sources, everywhere)
    yield from attempted((kubernetes_scale.check,), scene, everywhere)


def _checked(tree: Tree, found: list[Scene], versions: tuple[str, ...]) -> Iterator[Checked]:
    yield Checked("Kubernetes files", len(tree.documents))
    yield Checked("kustomizations", len(tree.kustomizations))
    if tree.local:
        yield Checked("rendered overlays", len(tree.local), "kustomize")
    fetching = {part.folder for part, _ in tree.parts} - {part.folder for part in tree.local}
    if fetching:
        yield Checked("overlays left out, because building them fetches from elsewhere", len(fetching), "nobody")
    count = sum(len(each.things) for each in found) if kubernetes_schema.available() else 0
    for version in versions:
        by = kubernetes_schema.available() or "nobody: the Python package kubernetes-validate is not installed"
        yield Checked(f"objects against the schema of Kubernetes {version}", count, by)
