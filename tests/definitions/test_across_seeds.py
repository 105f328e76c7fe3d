"""Mistakes put between the tools of a small workspace: each is found by its rule, at its place, and nothing else is.

Beside each rule stands what looks like its mistake and is none: there nothing may be found at all.
"""

# ruff: noqa: E501 - what a file says is easier to read on one line

import functools
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import across_shop
import pytest
from workspace.preflight import across
from workspace.preflight.checkout import Checkout
from workspace.preflight.finding import Finding, Report

BASE, NAMES, WORLD = (f"infra/stacks/{each}/main.tf" for each in ("base", "names", "world"))
BICEP, DIFFERENCES, WIRING = "app/main.bicep", "differences.yaml", "infra/README.md"
BUILD = ".github/workflows/build.yml"
END = "\0end"
NEW = "\0new"
GONE = "\0gone"
Edit = tuple[str, str, str]


def data(environment: str, stack: str = "base") -> str:
    return f"infra/environments/{environment}/{stack}.tfvars.json"


def names(environment: str) -> str:
    return data(environment, "names")


def params(environment: str) -> str:
    return f"app/params.{environment}.json"


def web(environment: str) -> str:
    return f"kubernetes/overlays/{environment}/web/web.yaml"


def issuers(environment: str) -> str:
    return f"kubernetes/overlays/{environment}/issuers/issuers.yaml"


def deploy(environment: str) -> str:
    return f".github/workflows/deploy-{environment}.yml"


def everywhere(file: Any, old: str, new: str) -> tuple[Edit, ...]:
    """One edit in all environments; ENV in a text stands for each."""
    return tuple((file(each), old.replace("ENV", each), new.replace("ENV", each)) for each in across_shop.ENVIRONMENTS)


@dataclass(frozen=True)
class Seed:
    """`rule` is empty for what is no mistake; `at` is a file and a text of the line where the mistake is found."""

    what: str
    rule: str
    edits: tuple[Edit, ...]
    at: tuple[str, str] = ("", "")


def resource(type_: str, symbol: str, /, **arguments: str) -> str:
    lines = "".join(f'  {key} = "{value}"\n' for key, value in arguments.items())
    return f'\nresource "{type_}" "{symbol}" {{\n{lines}}}\n'


def record(kind: str, symbol: str, host: str, **more: Any) -> str:
    arguments = {"name": host, "zone_name": "shop.io", **more}
    return resource(f"azurerm_dns_{kind}_record", symbol, **arguments)


def object_(kind: str, name: str, rest: str = "", version: str = "v1") -> str:
    return f"---\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n{rest}"


OTHER = "infra/stacks/other/main.tf"
OTHER_ROOT = across_shop.ROOT
STAGING_ROOT = "infra/stacks/staging/extra/main.tf"
KUSTOMIZATION = across_shop.KUSTOMIZATION.replace("RESOURCE", "more.yaml")


def overlay(environment: str, name: str, text: str) -> tuple[Edit, Edit]:
    """A new overlay of an environment."""
    folder = f"kubernetes/overlays/{environment}/{name}"
    return (
        (f"{folder}/kustomization.yaml", NEW, KUSTOMIZATION.replace("ENV", environment)),
        (f"{folder}/more.yaml", NEW, text),
    )


def bicep(type_: str, symbol: str, name: str, rest: str = "") -> str:
    return f"\nresource {symbol} '{type_}@2023-01-01' = {{\n  name: {name}\n{rest}}}\n"


PROD_ONLY = "if (siteName == 'shop-api-prod')"


def config(host: str) -> str:
    return f"  api: https://api.{host}\n"


SECRET = """
resource "azurerm_key_vault_secret" "more" {
  name         = "NAME"
  key_vault_id = azurerm_key_vault.this.id
  value        = "x"
}
"""
OWNERSHIP = (
    Seed(
        "Bicep makes the zone too",
        "ownership/two-tools",
        (
            (DIFFERENCES, GONE, ""),
            (BICEP, END, bicep("Microsoft.Network/dnsZones", "zone", "'shop.io'").replace("= {", f"= {PROD_ONLY} {{")),
        ),
        (BICEP, "'shop.io'"),
    ),
    Seed(
        "Bicep makes the vault of Terraform",
        "ownership/two-tools",
        ((BICEP, " existing = {\n  name: vaultName", " = {\n  name: vaultName"),),
        (params("dev"), "vaultName"),
    ),
    Seed(
        "Bicep looks the zone up",
        "",
        ((BICEP, END, bicep("Microsoft.Network/dnsZones", "zone", "'shop.io'").replace("' = {", "' existing = {")),),
    ),
    Seed(
        "Bicep has a log workspace of another group under the same name",
        "",
        ((BICEP, END, bicep("Microsoft.OperationalInsights/workspaces", "logs", "'shop-logs'")),),
    ),
    Seed(
        "a second stack makes the shared group",
        "ownership/two-states",
        ((OTHER, NEW, OTHER_ROOT + resource("azurerm_resource_group", "shared", name="shop-shared-rg")),),
        (WORLD, "shop-shared-rg"),
    ),
    Seed(
        "a second stack makes the log workspace in the same group",
        "ownership/two-states",
        (
            (
                OTHER,
                NEW,
                OTHER_ROOT
                + resource(
                    "azurerm_log_analytics_workspace", "this", name="shop-logs", resource_group_name="shop-shared-rg"
                ),
            ),
        ),
        (OTHER, "shop-logs"),
    ),
    Seed(
        "another group has a workspace of the same name",
        "",
        (
            (
                OTHER,
                NEW,
                OTHER_ROOT
                + resource(
                    "azurerm_log_analytics_workspace", "this", name="shop-logs", resource_group_name="shop-other-rg"
                ),
            ),
        ),
    ),
    Seed(
        "an example makes the shared group",
        "",
        (
            (
                "infra/examples/group/main.tf",
                NEW,
                OTHER_ROOT + resource("azurerm_resource_group", "shared", name="shop-shared-rg"),
            ),
        ),
    ),
    Seed(
        "two environments deploy one site",
        "ownership/per-environment",
        (
            (params("prod"), '"shop-api-prod"', '"shop-api"'),
            (params("staging"), '"shop-api-staging"', '"shop-api"'),
            (data("prod", "names"), "shop-api-prod", "shop-api"),
            (data("staging", "names"), "shop-api-staging", "shop-api"),
            (params("dev"), '"shop-api-dev"', '"shop-api-dev1"'),
            (data("dev", "names"), "shop-api-dev", "shop-api-dev1"),
        ),
        (params("staging"), "siteName"),
    ),
    Seed(
        "every environment makes the registry of the pictures",
        "ownership/per-environment",
        ((BICEP, END, bicep("Microsoft.ContainerRegistry/registries", "pictures", "'shoppictures'")),),
        (BICEP, "'shoppictures'"),
    ),
    Seed(
        "every environment makes a registry of its own",
        "",
        ((BICEP, END, bicep("Microsoft.ContainerRegistry/registries", "pictures", "'${siteName}pictures'")),),
    ),
    Seed(
        "two environments share a group",
        "ownership/group-per-environment",
        (
            (data("staging"), "shop-staging-rg", "shop-test-group"),
            (data("dev"), "shop-dev-rg", "shop-test-group"),
            (deploy("dev"), "shop-dev-rg", "shop-test-group"),
            (deploy("staging"), "shop-staging-rg", "shop-test-group"),
            (data("prod"), "shop-prod-rg", "shop-prod-group"),
            (deploy("prod"), "shop-prod-rg", "shop-prod-group"),
        ),
        (data("staging"), "shop-test-group"),
    ),
    Seed(
        "all environments make one more group",
        "ownership/group-per-environment",
        ((BASE, END, resource("azurerm_resource_group", "more", name="shop-more-rg")),),
        (BASE, "shop-more-rg"),
    ),
    Seed(
        "environments have one group name in subscriptions of their own",
        "",
        (
            (BASE, END, resource("azurerm_resource_group", "more", name="shop-more-rg")),
            *everywhere(data, "{\n", '{\n  "subscription_id": "of-ENV",\n'),
        ),
    ),
    Seed(
        "two stacks write one record",
        "ownership/record",
        ((OTHER, NEW, OTHER_ROOT + record("a", "web", "web")),),
        (OTHER, '"web"'),
    ),
    Seed(
        "all environments write the text of the domain",
        "ownership/record",
        ((NAMES, END, record("txt", "mark", "@")),),
        (NAMES, '"@"'),
    ),
    Seed(
        "a second stack writes the record of another type",
        "",
        ((OTHER, NEW, OTHER_ROOT + record("txt", "web", "web")),),
    ),
    Seed(
        "two overlays of dev have one ConfigMap",
        "ownership/object-twice",
        overlay("dev", "more", object_("ConfigMap", "web")[4:]),
        (web("dev"), "apiVersion: v1"),
    ),
    Seed(
        "two overlays of prod have one Service",
        "ownership/object-twice",
        overlay("prod", "more", object_("Service", "web", "spec:\n  ports:\n    - port: 8080\n")[4:]),
        (web("prod"), "apiVersion: v1"),
    ),
    Seed("two overlays have one name for two kinds", "", overlay("dev", "more", object_("ServiceAccount", "web")[4:])),
    Seed(
        "a second cluster of dev has the same object",
        "",
        (
            ("clusters/west/dev/more/kustomization.yaml", NEW, KUSTOMIZATION.replace("ENV", "dev")),
            ("clusters/west/dev/more/more.yaml", NEW, object_("ServiceAccount", "worker")[4:]),
            ("clusters/east/dev/more/kustomization.yaml", NEW, KUSTOMIZATION.replace("ENV", "dev")),
            ("clusters/east/dev/more/more.yaml", NEW, object_("ServiceAccount", "worker")[4:]),
        ),
    ),
    Seed(
        "Terraform makes the namespace of an overlay",
        "ownership/namespace-twice",
        (
            *overlay("dev", "space", object_("Namespace", "shop-dev")[4:]),
            (
                OTHER,
                NEW,
                OTHER_ROOT
                + '\nresource "kubernetes_namespace" "this" {\n  metadata {\n    name = "shop-dev"\n  }\n}\n',
            ),
        ),
        (OTHER, "shop-dev"),
    ),
    Seed(
        "two overlays make the namespace",
        "ownership/namespace-twice",
        (
            *overlay("dev", "space", object_("Namespace", "shop-dev")[4:]),
            *overlay("dev", "zone", object_("Namespace", "shop-dev")[4:]),
        ),
        ("kubernetes/overlays/dev/zone/more.yaml", "apiVersion"),
    ),
    Seed(
        "two overlays make two namespaces",
        "",
        (
            *overlay("dev", "space", object_("Namespace", "shop-dev")[4:]),
            (
                OTHER,
                NEW,
                OTHER_ROOT
                + '\nresource "kubernetes_namespace" "this" {\n  metadata {\n    name = "other-dev"\n  }\n}\n',
            ),
        ),
    ),
)
NAMING = (
    Seed(
        "the workflow says the cluster's words in another order",
        "names/two-spellings",
        ((deploy("dev"), "shop-dev-aks", "aks-shop-dev"),),
        (deploy("dev"), "get-credentials"),
    ),
    Seed(
        "the config map spells the vault without a hyphen",
        "names/two-spellings",
        ((web("prod"), "https://shop-prod-kv", "https://shopprod-kv"),),
        (web("prod"), "https://shopprod-kv"),
    ),
    Seed(
        "a script means the cluster of another product",
        "",
        ((deploy("dev"), "--name shop-dev-aks", "--name till-dev-aks"),),
    ),
    Seed(
        "the workflow misspells the cluster",
        "names/nobody-declares",
        ((deploy("staging"), "shop-staging-aks", "shop-staging-ask"),),
        (deploy("staging"), "get-credentials"),
    ),
    Seed(
        "the template looks up a vault with a letter too many",
        "names/nobody-declares",
        ((params("dev"), "shop-dev-kv", "shops-dev-kv"),),
        (params("dev"), "vaultName"),
    ),
    Seed("a second cluster is meant", "", ((deploy("dev"), "--name shop-dev-aks", "--name shop-dev-aks2"),)),
    Seed("the name of the vault is not known", "", ((deploy("dev"), "--name shop-dev-aks", '--name "$CLUSTER"'),)),
    Seed(
        "staging's workflow means the cluster of dev in another spelling",
        "names/other-environment",
        ((deploy("staging"), "shop-staging-aks", "shop-development-aks"),),
        (deploy("staging"), "get-credentials"),
    ),
    Seed(
        "prod has dev's word in its host",
        "names/other-environment",
        (
            (web("prod"), "    - web.shop.io", "    - web.dev.shop.io"),
            (web("dev"), "    - web.dev.shop.io", "    - web2.dev.shop.io"),
        ),
        (web("prod"), "web.dev.shop.io"),
    ),
    Seed(
        "a name has a word that begins like an environment",
        "",
        (
            *everywhere(params, '"shop-api-ENV"', '"shop-devices-ENV"'),
            *everywhere(names, '"shop-api-ENV"', '"shop-devices-ENV"'),
        ),
    ),
    Seed(
        "prod's storage is called otherwise",
        "names/convention",
        (
            (BASE, "  name                = var.storage", '  name                = "${var.storage}-x"'),
            (data("prod"), "shopprodsa", "prod-shop-sa"),
            (data("dev"), "shopdevsa", "shop-dev-sa"),
            (data("staging"), "shopstagingsa", "shop-staging-sa"),
        ),
        (data("prod"), "prod-shop-sa"),
    ),
    Seed(
        "dev's cluster is older than the convention",
        "names/convention",
        ((data("dev"), "shop-dev-aks", "old-dev-cluster"), (deploy("dev"), "shop-dev-aks", "old-dev-cluster")),
        (data("dev"), "old-dev-cluster"),
    ),
    Seed(
        "prod is spelt short",
        "",
        ((data("prod"), "shop-prod-aks", "shop-prd-aks"), (deploy("prod"), "shop-prod-aks", "shop-prd-aks")),
    ),
    Seed(
        "dev's stack writes the record of staging",
        "names/other-environment",
        (
            (DIFFERENCES, GONE, ""),
            ("infra/stacks/dev/extra/main.tf", NEW, OTHER_ROOT + record("a", "edge", "staging.edge")),
        ),
        ("infra/stacks/dev/extra/main.tf", "staging.edge"),
    ),
    Seed(
        "the workflow means the site of another service",
        "",
        (
            (
                deploy("dev"),
                "          az acr",
                "          az webapp restart --name shop-ui-dev --resource-group shop-dev-rg\n          az acr",
            ),
        ),
    ),
)
DNS = (
    Seed(
        "a route claims the host of the app",
        "dns/host-claimed-twice",
        ((web("dev"), "    - web.dev.shop.io", "    - web.dev.shop.io\n    - api.dev.shop.io"),),
        (params("dev"), "apiHost"),
    ),
    Seed(
        "two environments bind one host",
        "dns/host-claimed-twice",
        ((params("staging"), '"api.staging.shop.io"', '"api.shop.io"'),),
        (params("staging"), "apiHost"),
    ),
    Seed(
        "a host is bound twice in one template",
        "",
        (
            (
                BICEP,
                END,
                "\nresource again 'Microsoft.Web/sites/hostNameBindings@2023-12-01' = {\n  parent: site\n  name: apiHost\n}\n",
            ),
        ),
    ),
    Seed(
        "the record leads to a site that is gone",
        "dns/dangling",
        ((data("dev", "names"), "shop-api-dev", "shop-old-dev"),),
        (data("dev", "names"), '"api"'),
    ),
    Seed(
        "a record leads to storage that nobody has",
        "dns/dangling",
        ((OTHER, NEW, OTHER_ROOT + record("cname", "files", "files", record="lostfiles.blob.core.windows.net")),),
        (OTHER, '"files"'),
    ),
    Seed(
        "the name of one site is not known",
        "",
        (
            (BICEP, END, bicep("Microsoft.Web/sites", "more", "uniqueString(resourceGroup().id)")),
            (data("dev", "names"), "shop-api-dev", "shop-old-dev"),
        ),
    ),
    Seed(
        "an alias of our zone leads nowhere",
        "dns/record-without-target",
        ((OTHER, NEW, OTHER_ROOT + record("cname", "www", "www", record="shop.shop.io")),),
        (OTHER, '"www"'),
    ),
    Seed(
        "an alias leads to a misspelt host",
        "dns/record-without-target",
        ((NAMES, 'record    = "nice-rock-0123.azurestaticapps.net"', 'record    = "wep.shop.io"'),),
        (names("dev"), "docs"),
    ),
    Seed(
        "an alias leads to a host of ours",
        "",
        ((OTHER, NEW, OTHER_ROOT + record("cname", "www", "www", record="web.shop.io.")),),
    ),
    Seed(
        "an alias leads to a wildcard of ours",
        "",
        (
            (
                OTHER,
                NEW,
                OTHER_ROOT + record("a", "wild", "*.till") + record("cname", "www", "www", record="one.till.shop.io"),
            ),
        ),
    ),
    Seed(
        "the zone's own name is an alias",
        "dns/apex-cname",
        ((OTHER, NEW, OTHER_ROOT + record("cname", "apex", "@", record="nice.azurestaticapps.net")),),
        (OTHER, '"@"'),
    ),
    Seed(
        "Bicep writes an alias at the zone's own name",
        "dns/apex-cname",
        (
            (
                "dns/names.bicep",
                NEW,
                "resource apex 'Microsoft.Network/dnsZones/CNAME@2018-05-01' = {\n  name: 'shop.io/@'\n  properties: {\n    TTL: 300\n  }\n}\n",
            ),
        ),
        ("dns/names.bicep", "shop.io/@"),
    ),
    Seed("the zone's own name has an address", "", ((OTHER, NEW, OTHER_ROOT + record("a", "apex", "@")),)),
    Seed(
        "a text stands beside an alias",
        "dns/cname-beside",
        ((OTHER, NEW, OTHER_ROOT + record("txt", "api", "api")),),
        (names("prod"), '"api"'),
    ),
    Seed(
        "the controller writes an address where an alias is",
        "dns/cname-beside",
        (
            (
                web("prod"),
                "kind: HTTPRoute\nmetadata:\n  name: web",
                "kind: HTTPRoute\nmetadata:\n  name: web\n  annotations:\n    external-dns.alpha.kubernetes.io/hostname: docs.shop.io",
            ),
        ),
        (data("prod", "names"), '"docs"'),
    ),
    Seed(
        "a proof stands below the name of an alias",
        "",
        ((OTHER, NEW, OTHER_ROOT + record("txt", "proof", "_dnsauth.api")),),
    ),
    Seed(
        "a record is kept for a week",
        "dns/ttl",
        ((OTHER, NEW, OTHER_ROOT + record("a", "old", "old").replace("  zone", "  ttl = 604800\n  zone")),),
        (OTHER, '"old"'),
    ),
    Seed(
        "a record is not kept at all",
        "dns/ttl",
        ((NAMES, "  ttl       = 300", "  ttl       = 1"),),
        (data("prod", "names"), '"web"'),
    ),
    Seed(
        "a text is kept for two days",
        "",
        ((OTHER, NEW, OTHER_ROOT + record("txt", "old", "old").replace("  zone", "  ttl = 172800\n  zone")),),
    ),
    Seed(
        "the app's host has no record",
        "dns/binding-without-record",
        (
            (params("dev"), '"api.dev.shop.io"', '"apis.dev.shop.io"'),
            *((each, "https://api.dev.shop.io", "https://apis.dev.shop.io") for each in (web("dev"),)),
        ),
        (params("dev"), "apiHost"),
    ),
    Seed(
        "the record of a site's domain is not there",
        "dns/binding-without-record",
        ((NAMES, '  domain_name = "${var.docs}.shop.io"', '  domain_name = "wiki-${var.docs}.shop.io"'),),
        (names("dev"), "docs"),
    ),
    Seed(
        "some records are not known",
        "",
        (
            (NAMES, "  name      = var.web", "  name      = random_pet.web.id"),
            (NAMES, '  domain_name = "${var.docs}.shop.io"', '  domain_name = "wiki-${var.docs}.shop.io"'),
        ),
    ),
    Seed(
        "nobody proves that the host is ours",
        "dns/binding-without-proof",
        ((NAMES, '"asuid.${var.api}"', '"proof.${var.api}"'),),
        (params("dev"), "apiHost"),
    ),
    Seed(
        "the proof is for another host",
        "dns/binding-without-proof",
        ((NAMES, '"asuid.${var.api}"', '"asuid.${var.web}"'),),
        (params("dev"), "apiHost"),
    ),
    Seed(
        "a static app needs no such proof",
        "",
        ((NAMES, '"${var.docs}.shop.io"', '"${azurerm_dns_cname_record.docs.name}.shop.io"'),),
    ),
    Seed(
        "the binding waits for nothing",
        "dns/binding-before-record",
        ((NAMES, "  depends_on  = [azurerm_dns_cname_record.docs]\n", ""),),
        (names("dev"), "docs"),
    ),
    Seed(
        "the binding waits for another record",
        "dns/binding-before-record",
        ((NAMES, "[azurerm_dns_cname_record.docs]", "[azurerm_dns_a_record.web]"),),
        (names("dev"), "docs"),
    ),
    Seed(
        "the binding waits by way of a local",
        "",
        (
            (NAMES, "  depends_on  = [azurerm_dns_cname_record.docs]\n", ""),
            (NAMES, '"${var.docs}.shop.io"', '"${local.docs}.shop.io"'),
            (NAMES, END, "\nlocals {\n  docs = azurerm_dns_cname_record.docs.name\n}\n"),
        ),
    ),
    Seed(
        "a route has a misspelt domain",
        "dns/outside-zones",
        ((web("dev"), "    - web.dev.shop.io", "    - web.dev.shop.oi"),),
        (web("dev"), "web.dev.shop.oi"),
    ),
    Seed(
        "an app has the domain of another README",
        "dns/outside-zones",
        ((params("prod"), '"api.shop.io"', '"api.shop.com"'),),
        (params("prod"), "apiHost"),
    ),
    Seed(
        "a route is for inside only",
        "",
        ((web("dev"), "    - web.dev.shop.io", "    - web.dev.shop.io\n    - web.dev.local"),),
    ),
    Seed(
        "the app calls a host that nobody serves",
        "dns/host-unserved",
        ((params("dev"), "https://web.dev.shop.io", "https://dev.web.shop.io"),),
        (params("dev"), "webAddress"),
    ),
    Seed(
        "the config map calls a host that is gone",
        "dns/host-unserved",
        ((web("prod"), config("shop.io"), "  api: https://apis.shop.io/v1\n"),),
        (web("prod"), "https://apis.shop.io"),
    ),
    Seed("the app calls somebody else", "", ((params("dev"), "https://web.dev.shop.io", "https://api.stripe.com/v1"),)),
    Seed(
        "dev calls the app of prod",
        "dns/other-environments-host",
        ((params("dev"), "https://web.dev.shop.io", "https://web.shop.io"),),
        (params("dev"), "webAddress"),
    ),
    Seed(
        "staging's config map calls dev",
        "dns/other-environments-host",
        ((web("staging"), config("staging.shop.io"), config("dev.shop.io")),),
        (web("staging"), "https://api.dev.shop.io"),
    ),
    Seed(
        "dev calls what only prod has",
        "",
        (
            (params("dev"), "https://web.dev.shop.io", "https://login.shop.io"),
            (web("prod"), "    - web.shop.io", "    - web.shop.io\n    - login.shop.io"),
        ),
    ),
    Seed(
        "the zone of the records is looked up",
        "dns/record-without-target",
        (
            (
                OTHER,
                NEW,
                OTHER_ROOT
                + '\ndata "azurerm_dns_zone" "this" {\n  name = "shop.io"\n}\n'
                + record("cname", "www", "www", record="shop.shop.io").replace(
                    '"shop.io"', "data.azurerm_dns_zone.this.name"
                ),
            ),
        ),
        (OTHER, '"www"'),
    ),
    Seed(
        "the record may be switched on",
        "",
        (
            (
                OTHER,
                NEW,
                OTHER_ROOT
                + '\nvariable "address" {\n  default = ""\n}\n'
                + record("cname", "www", "www", record="shop.shop.io")
                + record("a", "shop", "shop").replace("{\n", '{\n  count = var.address == "" ? 0 : 1\n', 1),
            ),
        ),
    ),
)
TLS = (
    Seed(
        "one certificate of dev was forgotten",
        "tls/issuers-mixed",
        (
            (
                web("dev"),
                END,
                object_(
                    "Certificate",
                    "more",
                    "spec:\n  secretName: more\n  dnsNames: [web.dev.shop.io]\n  issuerRef:\n    kind: ClusterIssuer\n    name: trusted\n",
                    "cert-manager.io/v1",
                ),
            ),
        ),
        (web("dev"), "    name: trusted"),
    ),
    Seed(
        "one ingress of staging was forgotten",
        "tls/issuers-mixed",
        (
            (
                web("staging"),
                END,
                object_(
                    "Ingress",
                    "more",
                    "  annotations:\n    cert-manager.io/cluster-issuer: trusted\nspec: {}\n",
                    "networking.k8s.io/v1",
                ),
            ),
        ),
        (web("staging"), "cluster-issuer: trusted"),
    ),
    Seed(
        "a certificate of dev is from an authority of our own",
        "",
        (
            (
                web("dev"),
                END,
                object_(
                    "Certificate",
                    "more",
                    "spec:\n  secretName: more\n  issuerRef:\n    kind: Issuer\n    name: own\n",
                    "cert-manager.io/v1",
                )
                + object_("Issuer", "own", "spec:\n  selfSigned: {}\n", "cert-manager.io/v1"),
            ),
        ),
    ),
    Seed(
        "dev has the trusted issuer",
        "tls/trusted-issuer-in-tests",
        ((web("dev"), "    name: rehearsing", "    name: trusted"),),
        (web("dev"), "    name: trusted"),
    ),
    Seed(
        "staging's issuer asks the trusted authority",
        "tls/trusted-issuer-in-tests",
        ((web("staging"), "    name: rehearsing", "    name: trusted"),),
        (web("staging"), "    name: trusted"),
    ),
    Seed(
        "prod has the trusted issuer by another name",
        "",
        (
            (web("prod"), "    name: trusted", "    name: public"),
            (issuers("prod"), "  name: trusted", "  name: public"),
        ),
    ),
    Seed(
        "an issuer has no address",
        "tls/no-contact",
        ((issuers("dev"), "    email: ops@shop.io\n", ""),),
        (issuers("dev"), "  acme:"),
    ),
    Seed(
        "a namespace's issuer has no address",
        "tls/no-contact",
        (
            (
                web("prod"),
                END,
                object_(
                    "Issuer", "more", "spec:\n  acme:\n    server: https://acme.example.com\n", "cert-manager.io/v1"
                ),
            ),
        ),
        (web("prod"), "  acme:"),
    ),
    Seed(
        "an authority of our own needs no address",
        "",
        ((issuers("dev"), END, object_("ClusterIssuer", "own", "spec:\n  selfSigned: {}\n", "cert-manager.io/v1")),),
    ),
)
SECRETS = (
    Seed(
        "the pod reads the key without hyphens",
        "secrets/spelling",
        ((web("dev"), "objectName: postgres-connection-string", "objectName: PostgresConnectionString"),),
        (web("dev"), "PostgresConnectionString"),
    ),
    Seed(
        "the pod reads one hyphen for two",
        "secrets/spelling",
        ((web("prod"), "objectName: Jwt--SigningKey", "objectName: jwt-signing-key"),),
        (web("prod"), "jwt-signing-key"),
    ),
    Seed(
        "the pod reads the key in other capitals",
        "",
        ((web("dev"), "objectName: Jwt--SigningKey", "objectName: jwt--signingkey"),),
    ),
    Seed(
        "the pod reads a key that nobody writes",
        "secrets/no-producer",
        ((web("dev"), "objectName: postgres-connection-string", "objectName: redis-connection-string"),),
        (web("dev"), "redis-connection-string"),
    ),
    Seed(
        "a second key that nobody writes",
        "secrets/no-producer",
        ((web("prod"), "objectName: Jwt--SigningKey", "objectName: Jwt--Issuer"),),
        (web("prod"), "Jwt--Issuer"),
    ),
    Seed(
        "a person brings the key, and a script says so",
        "",
        (
            (web("dev"), "objectName: postgres-connection-string", "objectName: redis-connection-string"),
            ("scripts/ask.sh", NEW, 'ask "redis-connection-string"\n'),
        ),
    ),
    Seed(
        "the pod reads a vault of somebody else",
        "",
        (
            (web("dev"), "keyvaultName: shop-dev-kv", "keyvaultName: partner-vault"),
            (web("dev"), "objectName: postgres-connection-string", "objectName: redis-connection-string"),
        ),
    ),
    Seed(
        "Terraform and Bicep write one key",
        "secrets/two-writers",
        ((BASE, END, SECRET.replace("NAME", "Jwt--SigningKey")),),
        (BICEP, "'Jwt--SigningKey'"),
    ),
    Seed(
        "one stack writes a key twice",
        "secrets/two-writers",
        ((BASE, END, SECRET.replace("NAME", "chain-address")),),
        (BASE, '"chain-address"'),
    ),
    Seed("one stack writes another key", "", ((BASE, END, SECRET.replace("NAME", "chain-address-2")),)),
    Seed(
        "one vault has a key with and without hyphens",
        "secrets/two-spellings",
        ((BASE, END, SECRET.replace("NAME", "PostgresConnectionString")),),
        (BASE, "PostgresConnectionString"),
    ),
    Seed(
        "Bicep spells the key of Terraform anew",
        "secrets/two-spellings",
        (
            (
                BICEP,
                END,
                "\nresource more 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {\n  parent: vault\n  name: 'Chain--Address'\n}\n",
            ),
        ),
        (BICEP, "Chain--Address"),
    ),
    Seed(
        "a vault has two keys that differ by a number",
        "",
        ((BASE, END, SECRET.replace("NAME", "postgres-connection-string-2")),),
    ),
    Seed(
        "a key has underscores",
        "secrets/name-refused",
        ((BASE, END, SECRET.replace("NAME", "redis_connection_string")),),
        (BASE, "redis_connection_string"),
    ),
    Seed(
        "a key has a colon",
        "secrets/name-refused",
        (
            (
                BICEP,
                END,
                "\nresource more 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {\n  parent: vault\n  name: 'Jwt:Issuer'\n}\n",
            ),
        ),
        (BICEP, "Jwt:Issuer"),
    ),
    Seed(
        "a certificate of the vault may be named as it likes",
        "",
        (
            (
                web("dev"),
                "        - |\n          objectName: Jwt--SigningKey\n          objectType: secret",
                "        - |\n          objectName: Jwt_SigningKey\n          objectType: cert",
            ),
        ),
    ),
    Seed(
        "Terraform puts the password into a ConfigMap",
        "secrets/into-config-map",
        ((BASE, "vault = azurerm_key_vault.this.vault_uri", "password = random_password.postgres.result"),),
        (BASE, "password = random"),
    ),
    Seed(
        "a ConfigMap waits for the password of Terraform",
        "secrets/into-config-map",
        ((web("dev"), "data:\n  api:", "data:\n  postgres_password: put-in-later\n  api:"),),
        (web("dev"), "postgres_password"),
    ),
    Seed(
        "a ConfigMap names the secret",
        "",
        ((web("dev"), "data:\n  api:", "data:\n  postgres_connection_string: postgres-connection-string\n  api:"),),
    ),
    Seed(
        "a ConfigMap has an address that a vault has, too",
        "",
        ((web("dev"), "data:\n  api:", "data:\n  chain_address: http://chain:8545\n  api:"),),
    ),
)
GRAPH = (
    Seed(
        "the table of wiring goes round",
        "graph/cycle",
        ((WIRING, END, "| base | group | names | b |\n"),),
        (WIRING, "| names | b |"),
    ),
    Seed(
        "two modules wait for each other",
        "graph/cycle",
        (
            (
                "infra/stacks/logs/main.tf",
                '  group  = "shop-shared-rg"\n}',
                '  group  = "shop-shared-rg"\n  depends_on = [module.more]\n}\n\nmodule "more" {\n  source = "../../modules/logs"\n  group = "a"\n  depends_on = [module.logs]\n}',
            ),
        ),
        ("infra/stacks/logs/main.tf", "depends_on = [module.more]"),
    ),
    Seed(
        "two units wait for each other",
        "graph/cycle",
        (
            ("live/a/terragrunt.hcl", NEW, 'dependency "b" {\n  config_path = "../b"\n}\n'),
            ("live/b/terragrunt.hcl", NEW, 'dependency "a" {\n  config_path = "../a"\n}\n'),
        ),
        ("live/a/terragrunt.hcl", "config_path"),
    ),
    Seed(
        "a unit waits for one that waits for it by a file they include",
        "graph/cycle",
        (
            ("live/root.hcl", NEW, 'locals {\n  base = "base"\n}\n'),
            (
                "live/common/needs.hcl",
                NEW,
                'dependency "base" {\n  config_path = "${dirname(find_in_parent_folders("root.hcl"))}/base"\n}\n',
            ),
            ("live/app/terragrunt.hcl", NEW, 'include "needs" {\n  path = "../common/needs.hcl"\n}\n'),
            (
                "live/base/terragrunt.hcl",
                NEW,
                'locals {\n  place = read_terragrunt_config("place.hcl").locals.place\n}\ndependencies {\n  paths = ["../${local.place}"]\n}\n',
            ),
            ("live/base/place.hcl", NEW, 'locals {\n  place = "app"\n}\n'),
        ),
        ("live/common/needs.hcl", "config_path"),
    ),
    Seed(
        "a unit replaces the need that would go round",
        "",
        (
            ("live/needs.hcl", NEW, 'dependency "base" {\n  config_path = "../base"\n}\n'),
            (
                "live/app/terragrunt.hcl",
                NEW,
                'include "needs" {\n  path = "../needs.hcl"\n}\ndependency "base" {\n  config_path = "../other"\n}\n',
            ),
            ("live/base/terragrunt.hcl", NEW, 'dependencies {\n  paths = ["../app"]\n}\n'),
            ("live/other/terragrunt.hcl", NEW, "inputs = {}\n"),
        ),
    ),
    Seed(
        "one stack gives two others", "", ((WIRING, END, "| logs | group | base | b |\n| logs | more | names | c |\n"),)
    ),
    Seed(
        "staging's config map names dev's vault",
        "graph/other-environment",
        ((web("staging"), "https://shop-staging-kv", "https://shop-dev-kv"),),
        (web("staging"), "https://shop-dev-kv"),
    ),
    Seed(
        "prod's unit needs a unit of staging",
        "graph/other-environment",
        (("live/prod/app/terragrunt.hcl", NEW, 'dependency "base" {\n  config_path = "../../staging/base"\n}\n'),),
        ("live/prod/app/terragrunt.hcl", "config_path"),
    ),
    Seed(
        "staging reads the state of dev",
        "graph/other-environment",
        (
            (
                STAGING_ROOT,
                NEW,
                OTHER_ROOT
                + '\ndata "terraform_remote_state" "dev" {\n  backend = "azurerm"\n  config = {\n    key = "dev/base.tfstate"\n  }\n}\n',
            ),
        ),
        (STAGING_ROOT, "terraform_remote_state"),
    ),
    Seed(
        "staging reads the state of the world",
        "",
        (
            (
                STAGING_ROOT,
                NEW,
                OTHER_ROOT
                + '\ndata "terraform_remote_state" "world" {\n  backend = "azurerm"\n  config = {\n    key = "world/zone.tfstate"\n  }\n}\n',
            ),
        ),
    ),
    Seed(
        "the pod calls a Service that is not there",
        "graph/calls-nobody",
        ((web("dev"), "http://chain:8545", "http://chains:8545"),),
        (web("dev"), "http://chains"),
    ),
    Seed(
        "Terraform keeps an address that no DNS has",
        "graph/calls-nobody",
        ((BASE, '"http://web:8080"', '"http://web.shop.internal:8080"'),),
        (BASE, "shop.internal"),
    ),
    Seed(
        "a private zone has the name",
        "",
        (
            (BASE, '"http://web:8080"', '"http://web.shop.internal:8080"'),
            (BASE, END, resource("azurerm_private_dns_zone", "inside", name="shop.internal")),
        ),
    ),
    Seed(
        "the full name of the Service is said",
        "",
        ((web("dev"), "http://chain:8545", "http://chain.shop-dev.svc.cluster.local:8545"),),
    ),
    Seed(
        "a chart may make the Service",
        "",
        (
            (web("dev"), "http://chain:8545", "http://redis-master:6379"),
            ("charts/redis/Chart.yaml", NEW, "name: redis\n"),
        ),
    ),
    Seed(
        "the pod calls a port that is closed",
        "graph/calls-wrong-port",
        ((web("dev"), "http://chain:8545", "http://chain:8546"),),
        (web("dev"), "http://chain:8546"),
    ),
    Seed(
        "Terraform keeps the wrong port",
        "graph/calls-wrong-port",
        ((BASE, '"http://web:8080"', '"http://web:3000"'),),
        (BASE, "http://web:3000"),
    ),
    Seed("the pod calls without a port", "", ((web("dev"), "http://chain:8545", "http://chain"),)),
    Seed(
        "nobody calls a module",
        "graph/module-unused",
        (("infra/modules/old/main.tf", NEW, across_shop.MODULE.replace("shop-logs", "shop-old")),),
        ("infra/modules/old/main.tf", ""),
    ),
    Seed(
        "the only call of a module is gone",
        "graph/module-unused",
        (
            (
                "infra/stacks/logs/main.tf",
                'module "logs" {\n  source = "../../modules/logs"\n  group  = "shop-shared-rg"\n}\n',
                "",
            ),
        ),
        ("infra/modules/logs/main.tf", ""),
    ),
    Seed(
        "a unit calls the module",
        "",
        (
            ("infra/modules/old/main.tf", NEW, across_shop.MODULE.replace("shop-logs", "shop-old")),
            (
                "live/old/terragrunt.hcl",
                NEW,
                'terraform {\n  source = "git::https://example.com/infra.git//modules/old?ref=v1"\n}\n',
            ),
        ),
    ),
    Seed(
        "a unit is cut off, which Terraform's own rules tell",
        "",
        (("live/a/terragrunt.hcl", NEW, "inputs = {\n  a =\n}\n"),),
    ),
    Seed(
        "a unit computes everything",
        "",
        (
            (
                "live/a/terragrunt.hcl",
                NEW,
                'locals {\n  a = read_terragrunt_config(find_in_parent_folders("env.hcl"))\n}\ninclude "root" {\n  path = find_in_parent_folders()\n}\n',
            ),
        ),
    ),
    Seed(
        "a folder without a back end is applied by a script",
        "",
        (
            ("infra/modules/old/main.tf", NEW, across_shop.MODULE.replace("shop-logs", "shop-old")),
            ("scripts/old.sh", NEW, "terraform -chdir=infra/modules/old apply\n"),
        ),
    ),
    Seed(
        "prod's unit names staging from the top of the repository",
        "graph/other-environment",
        (
            (
                "live/prod/app/terragrunt.hcl",
                NEW,
                'dependency "base" {\n  config_path = "${get_repo_root()}/live/staging/base"\n}\n',
            ),
        ),
        ("live/prod/app/terragrunt.hcl", "config_path"),
    ),
    Seed(
        "a unit's need is computed, beside a provider that is written out",
        "",
        (
            (
                "live/prod/app/terragrunt.hcl",
                NEW,
                'locals {\n  parts = split("/", path_relative_to_include())\n  place = length(local.parts) > 1 ? local.parts[1] : "default"\n}\ndependency "base" {\n  config_path = "${get_repo_root()}/live/${local.place}/staging"\n  skip_outputs = tobool(get_env("SKIP", "false"))\n}\ngenerate "provider" {\n  path = "provider.tf"\n  contents = <<EOF\nprovider "azurerm" {\n  subscription_id = "${local.place}"\n  features {}\n}\nEOF\n}\nterraform {\n  before_hook "tidy" {\n    commands = ["plan"]\n    execute = ["terraform", "fmt"]\n  }\n}\n',
            ),
        ),
    ),
)
IMAGES = (
    Seed(
        "dev pulls from a registry of its own",
        "images/registry-undeclared",
        ((web("dev"), "shopregistry.azurecr.io/web", "devimages.azurecr.io/web"),),
        (web("dev"), "devimages.azurecr.io/web"),
    ),
    Seed(
        "prod pulls from a registry of its own",
        "images/registry-undeclared",
        ((web("prod"), "shopregistry.azurecr.io/web", "prodimages.azurecr.io/web"),),
        (web("prod"), "prodimages.azurecr.io/web"),
    ),
    Seed(
        "a pod pulls a partner's image",
        "",
        (
            *everywhere(
                web,
                "          image: shopregistry",
                "          image: partner.azurecr.io/agent:2.0\n        - name: web2\n          image: shopregistry",
            ),
        ),
    ),
    Seed(
        "nothing builds the image of a new container",
        "images/nobody-builds",
        everywhere(
            web,
            "          image: shopregistry",
            "          image: shopregistry.azurecr.io/stories:2.0\n        - name: web2\n          image: shopregistry",
        ),
        (web("dev"), "stories:2.0"),
    ),
    Seed(
        "nothing builds an image that prepares",
        "images/nobody-builds",
        everywhere(
            web,
            "      containers:",
            "      initContainers:\n        - name: prepare\n          image: shopregistry.azurecr.io/prepare:1.0\n      containers:",
        ),
        (web("dev"), "prepare:1.0"),
    ),
    Seed(
        "a workflow builds the image",
        "",
        (
            *everywhere(
                web,
                "          image: shopregistry",
                "          image: shopregistry.azurecr.io/stories:2.0\n        - name: web2\n          image: shopregistry",
            ),
            (
                ".github/workflows/stories.yml",
                NEW,
                "jobs:\n  a:\n    steps:\n      - run: docker build -f s/Dockerfile -t $REGISTRY/stories .\n",
            ),
        ),
    ),
    Seed(
        "prod runs another repository",
        "images/repository-differs",
        ((web("prod"), "azurecr.io/web:1.0", "azurecr.io/docker:1.0"),),
        (web("prod"), "azurecr.io/docker:1.0"),
    ),
    Seed(
        "staging runs a repository of a team",
        "images/repository-differs",
        ((web("staging"), "azurecr.io/web:1.0", "azurecr.io/team/web:1.0"),),
        (web("staging"), "azurecr.io/team/web:1.0"),
    ),
    Seed("prod runs another version", "", ((web("prod"), "azurecr.io/web:1.0", "azurecr.io/web:0.9"),)),
    Seed(
        "two workflows build one repository from two files",
        "images/built-twice",
        (
            (
                ".github/workflows/more.yml",
                NEW,
                across_shop.BUILD.replace("docker/web/Dockerfile", "docker/web/Dockerfile.prod"),
            ),
        ),
        (".github/workflows/more.yml", "tags:"),
    ),
    Seed(
        "a script builds the repository from another file",
        "images/built-twice",
        (("scripts/build.sh", NEW, "docker build -f old/Dockerfile -t shopregistry.azurecr.io/web:$1 .\n"),),
        ("scripts/build.sh", "docker build"),
    ),
    Seed(
        "two workflows build one repository from one file",
        "",
        ((".github/workflows/more.yml", NEW, across_shop.BUILD),),
    ),
)
PARITY = (
    Seed(
        "prod has no names",
        "parity/missing",
        (
            (data("prod", "names"), GONE, ""),
            (params("prod"), GONE, ""),
            (web("prod"), config("shop.io"), "  api: https://example.com\n"),
        ),
        (data("dev", "names"), '"web"'),
    ),
    Seed(
        "dev alone has a plan",
        "parity/missing",
        (
            (
                BASE,
                END,
                '\nresource "azurerm_service_plan" "more" {\n  count = var.group == "shop-dev-rg" ? 1 : 0\n  name  = "shop-plan"\n}\n',
            ),
        ),
        (BASE, '"shop-plan"'),
    ),
    Seed(
        "it is declared that dev alone has a plan",
        "",
        (
            (
                BASE,
                END,
                '\nresource "azurerm_service_plan" "more" {\n  count = var.group == "shop-dev-rg" ? 1 : 0\n  name  = "shop-plan"\n}\n',
            ),
            (
                DIFFERENCES,
                END,
                "  - object: App Service plan shop-plan\n    environments: [staging, production]\n    why: Tried out in dev.\n",
            ),
        ),
    ),
    Seed(
        "nobody says what may be missing",
        "",
        (
            (
                BASE,
                END,
                '\nresource "azurerm_service_plan" "more" {\n  count = var.group == "shop-dev-rg" ? 1 : 0\n  name  = "shop-plan"\n}\n',
            ),
            (DIFFERENCES, GONE, ""),
        ),
    ),
    Seed(
        "a key that is there is declared to be missing",
        "parity/difference-idle",
        ((DIFFERENCES, END, "  - object: secret chain-address\n    environments: [prod]\n    why: Old.\n"),),
        (DIFFERENCES, "environments: [prod]"),
    ),
    Seed(
        "a vault that is there is declared to be missing",
        "parity/difference-idle",
        ((DIFFERENCES, END, "  - object: key vault\n    environments: [dev]\n    why: Old.\n"),),
        (DIFFERENCES, "environments: [dev]"),
    ),
)
CATALOGUE = (
    Seed(
        "the route has a host that no catalogue has",
        "catalogue/host",
        ((web("dev"), "    - web.dev.shop.io", "    - web.dev.shop.io\n    - new.dev.shop.io"),),
        (web("dev"), "new.dev.shop.io"),
    ),
    Seed(
        "a record has a host that no catalogue has",
        "catalogue/host",
        ((DIFFERENCES, GONE, ""), (STAGING_ROOT, NEW, OTHER_ROOT + record("a", "new", "new.staging"))),
        (STAGING_ROOT, "new.staging"),
    ),
    Seed(
        "a proof has a name of its own",
        "",
        ((DIFFERENCES, GONE, ""), (STAGING_ROOT, NEW, OTHER_ROOT + record("txt", "new", "_acme-challenge.staging"))),
    ),
    Seed(
        "no route serves the host of the service",
        "catalogue/host-unserved",
        ((web("dev"), "    - web.dev.shop.io", "    - till.dev.shop.io"),),
        (web("dev"), "name: web"),
    ),
    Seed(
        "no route of prod serves the host of the service",
        "catalogue/host-unserved",
        ((web("prod"), "    - web.shop.io", "    - till.shop.io"),),
        (web("prod"), "name: web"),
    ),
    Seed(
        "a service has a longer name",
        "",
        ((web("dev"), END, object_("Service", "shop-old-web", "spec:\n  ports:\n    - port: 9090\n")),),
    ),
    Seed(
        "a cluster is called otherwise everywhere",
        "catalogue/name",
        (
            *everywhere(data, "shop-ENV-aks", "shop-ENV-k8s-cluster"),
            *everywhere(deploy, "shop-ENV-aks", "shop-ENV-k8s-cluster"),
        ),
        (data("dev"), "shop-dev-k8s-cluster"),
    ),
    Seed("the zone is another one", "catalogue/name", ((WORLD, '"shop.io"', '"shop.org"'),), (WORLD, '"shop.org"')),
    Seed(
        "there is one vault more",
        "",
        ((BASE, END, '\nresource "azurerm_key_vault" "more" {\n  name = "${var.vault}-more"\n}\n'),),
    ),
    Seed(
        "prod is in another region",
        "catalogue/region",
        ((data("prod"), '"eastus"', '"westeurope"'),),
        (data("prod"), "westeurope"),
    ),
    Seed(
        "staging's app is in another region",
        "catalogue/region",
        ((params("staging"), '"eastus"', '"southafricanorth"'),),
        (params("staging"), "location"),
    ),
    Seed("the region is written for people", "", ((data("prod"), '"eastus"', '"East US"'),)),
    Seed(
        "the service has another port",
        "catalogue/port",
        ((web("dev"), "    - port: 8080", "    - port: 8081"), (BASE, '"http://web:8080"', '"http://web"')),
        (web("dev"), "port: 8081"),
    ),
    Seed(
        "the chain has another port",
        "catalogue/port",
        (
            (web("prod"), "    - port: 8545", "    - port: 50051"),
            (web("prod"), "http://chain:8545", "http://chain:50051"),
        ),
        (web("prod"), "port: 50051"),
    ),
    Seed(
        "the service has one port more", "", ((web("dev"), "    - port: 8080", "    - port: 8080\n    - port: 8081"),)
    ),
)
SEEDS = (*OWNERSHIP, *NAMING, *DNS, *TLS, *SECRETS, *GRAPH, *IMAGES, *PARITY, *CATALOGUE)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    across_shop.write(tmp_path)
    return tmp_path


def sow(folder: Path, edits: tuple[Edit, ...]) -> None:
    for file, old, new in edits:
        place = folder / file
        if old == NEW:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text((place.read_text() if place.exists() else "") + new)
        elif old == GONE:
            place.unlink()
        else:
            text = place.read_text()
            assert old == END or old in text, f"{file} does not say {old!r}"
            place.write_text(text + new if old == END else text.replace(old, new))


def check(folder: Path, *, told: bool = True) -> Report:
    """With the facts of the workspace, or without."""
    return across.check(Checkout(folder), across_shop.FACTS if told else None)


@functools.cache
def outcome(seed: Seed) -> tuple[tuple[Finding, ...], frozenset[str]]:
    """What is found where the seed is sown, and where it may be."""
    with tempfile.TemporaryDirectory() as folder:
        across_shop.write(Path(folder))
        sow(Path(folder), seed.edits)
        found = check(Path(folder), told=seed in CATALOGUE).findings
        return found, frozenset(places(Path(folder), seed.at)) if seed.rule else frozenset()


def places(folder: Path, at: tuple[str, str]) -> set[str]:
    file, text = at
    lines = (folder / file).read_text().splitlines()
    return {f"{file}:{number}" for number, line in enumerate(lines, 1) if text in line} if text else {file}


def test_nothing_is_found_where_everything_fits(shop: Path) -> None:
    report = check(shop)
    assert [str(each) for each in report.findings] == []
    assert all(each.count for each in report.checked)


@pytest.mark.parametrize("seed", [each for each in SEEDS if each.rule], ids=lambda seed: seed.what)
def test_a_mistake_is_found_at_its_place_and_nothing_else_is(seed: Seed) -> None:
    told, wanted = outcome(seed)
    assert {each.rule.id for each in told} == {seed.rule}, [str(each) for each in told]
    assert {each.place for each in told} & wanted, [str(each) for each in told]


@pytest.mark.parametrize("seed", [each for each in SEEDS if not each.rule], ids=lambda seed: seed.what)
def test_what_only_looks_like_a_mistake_is_not_found(seed: Seed) -> None:
    assert [str(each) for each in outcome(seed)[0]] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\1",
        "- a\n",
        "a: &a [*a]\n",
        "kind: Certificate\napiVersion: v1\nspec: []\n",
        "{" * 2000,
        "az aks " * 2000,
        "http://" * 3000,
    ],
    ids=["empty", "binary", "list", "endless", "misshapen", "deep", "repeated command", "repeated address"],
)
def test_what_no_tool_would_take_is_answered_and_not_crashed_on(text: str, shop: Path) -> None:
    odd = "apiVersion: v1\nkind: SecretProviderClass\nmetadata: {name: odd}\nspec: {parameters: {objects: "
    for file in (
        BUILD,
        WIRING,
        DIFFERENCES,
        "live/a/terragrunt.hcl",
        "more.yaml",
        "more.sh",
        "more/more.bicep",
        "more/more.tf",
    ):
        (shop / file).parent.mkdir(parents=True, exist_ok=True)
        (shop / file).write_text(text)
    (shop / "odd.yaml").write_text(odd + '"array: [1, {a: b}, [c]]"}}\n')
    assert [str(each) for each in check(shop).findings] == []


def test_every_rule_is_sown_twice_and_has_a_text() -> None:
    sown = [each.rule for each in SEEDS if each.rule]
    assert {rule.id for rule in across.RULES} == set(sown)
    assert [rule for rule in sown if sown.count(rule) < 2] == []
    assert all(text.endswith(".") for rule in across.RULES for text in (rule.about, rule.why, rule.todo))


def test_every_rule_has_an_example_that_is_wrong_and_one_that_is_right() -> None:
    page = (Path(across.__file__).parent / "examples" / "across.md").read_text()
    parts = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(parts) == {rule.id for rule in across.RULES}
    assert {name for name, part in parts.items() if part.count("```") != 4} == set()


def test_precision_and_recall_on_the_corpus_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    right = wrong = missed = 0
    for seed in SEEDS:
        found, wanted = {each.rule.id for each in outcome(seed)[0]}, {seed.rule} - {""}
        right, wrong, missed = right + len(found & wanted), wrong + len(found - wanted), missed + len(wanted - found)
    precision, recall = right / (right + wrong), right / (right + missed)
    near = sum(not each.rule for each in SEEDS)
    with capsys.disabled():
        said = f"precision {precision:.2f}, recall {recall:.2f}"
        sys.stdout.write(f"\nacross: {right} mistakes and {near} near misses: {said}\n")
    assert (precision, recall) == (1.0, 1.0)
