"""Our Static Web Apps client against the stand-in."""

import pytest
from azure_here import GROUP, SITE, ZONE, ZONE_GROUP, AzureHere, package, shared
from workspace.clients.zone import RecordSet
from workspace.errors import Broken, Unsettled

HOST = "dev.mystira.app"


@pytest.fixture
def azure() -> AzureHere:
    here = shared()
    here.fail()
    return here


def deploy(azure: AzureHere, text: str) -> str:
    file, sha256 = package(azure.folder, text)
    azure.static_site.deploy(GROUP, SITE, file.as_uri(), sha256)
    return sha256


def test_a_site_that_is_not_there_has_no_host(azure: AzureHere) -> None:
    assert azure.static_site.host(GROUP, SITE).endswith(".azurestaticapps.net")
    assert azure.static_site.host(GROUP, "mys-dev-mystira-none-eus2") == ""


def test_an_uploaded_package_is_known_by_its_content_and_served(azure: AzureHere) -> None:
    sha256 = deploy(azure, "<h1>Mystira</h1>")

    assert azure.static_site.deployed(GROUP, SITE) == sha256
    assert azure.web.greet(azure.static_site.host(GROUP, SITE), "/").body == "<h1>Mystira</h1>"


def test_a_package_that_is_served_is_not_uploaded_again(azure: AzureHere) -> None:
    file, sha256 = package(azure.folder, "once")
    assert azure.static_site.deploy(GROUP, SITE, file.as_uri(), sha256)
    before = azure.writes

    assert not azure.static_site.deploy(GROUP, SITE, file.as_uri(), sha256)
    assert azure.writes == before


def test_a_package_that_cannot_be_fetched_is_not_taken_for_deployed(azure: AzureHere) -> None:
    before = deploy(azure, "before")

    with pytest.raises(Exception, match="could not be downloaded"):
        azure.static_site.deploy(GROUP, SITE, "file:///nowhere.zip", "0" * 64)
    assert azure.static_site.deployed(GROUP, SITE) == "", "whoever wants the package of before uploads it again"
    assert deploy(azure, "before") == before == azure.static_site.deployed(GROUP, SITE)


def test_what_was_there_before_is_not_taken_for_served_once_another_upload_began(azure: AzureHere) -> None:
    """A run that dies between the upload and its mark, and then a rollback: the site serves what was left half-done."""
    before = deploy(azure, "before")
    settings = {"point": "arm", "subject": "PUT Microsoft.Web/staticSites/config *", "how": "500", "after": 1}
    azure.fail(settings)
    with pytest.raises((Broken, Unsettled)):
        deploy(azure, "half-done")
    azure.fail()
    assert azure.web.greet(azure.static_site.host(GROUP, SITE), "/").body == "half-done"
    assert azure.static_site.deployed(GROUP, SITE) != before


def test_an_upload_that_azure_ends_as_failed_is_not_taken_for_deployed(azure: AzureHere) -> None:
    file, sha256 = package(azure.folder, "fails")
    azure.fail({"point": "arm", "subject": f"POST Microsoft.Web/staticSites/zipdeploy {SITE}", "how": "failed"})

    with pytest.raises((Broken, Unsettled)):
        azure.static_site.deploy(GROUP, SITE, file.as_uri(), sha256)
    azure.fail()
    assert azure.static_site.deployed(GROUP, SITE) != sha256


def test_a_domain_without_its_record_is_unsettled(azure: AzureHere) -> None:
    with pytest.raises(Unsettled, match="CNAME"):
        azure.static_site.bind(GROUP, SITE, "early.mystira.app")


def test_a_domain_with_its_record_becomes_ready_once(azure: AzureHere) -> None:
    record = RecordSet("dev", "CNAME", 3600, (azure.static_site.host(GROUP, SITE),), "us")
    azure.zone.ensure(ZONE_GROUP, ZONE, record)

    assert azure.static_site.bind(GROUP, SITE, HOST, deadline_seconds=10)
    domain = azure.static_site.domain(GROUP, SITE, HOST)
    assert domain is not None
    assert domain.is_ready
    before = azure.writes
    assert not azure.static_site.bind(GROUP, SITE, HOST)
    assert azure.writes == before


def test_a_domain_proved_by_txt_says_which_record_it_waits_for(azure: AzureHere) -> None:
    with pytest.raises(Unsettled, match="TXT record"):
        azure.static_site.bind(GROUP, SITE, "mystira.app", validation="dns-txt-token", deadline_seconds=0.05)
    domain = azure.static_site.domain(GROUP, SITE, "mystira.app")
    assert domain is not None
    azure.zone.ensure(ZONE_GROUP, ZONE, RecordSet("@", "TXT", 3600, (domain.token,), "us"))

    azure.static_site.bind(GROUP, SITE, "mystira.app", validation="dns-txt-token", deadline_seconds=10)
    domain = azure.static_site.domain(GROUP, SITE, "mystira.app")
    assert domain is not None
    assert domain.is_ready


def test_a_host_that_allows_no_cname_is_claimed_proved_by_txt_and_bound(azure: AzureHere) -> None:
    host = f"claimed.{ZONE}"
    token = azure.static_site.claim(GROUP, SITE, host)
    assert token
    assert azure.static_site.claim(GROUP, SITE, host) == token, "claiming twice gives the same token"
    with pytest.raises(Unsettled, match=token):
        azure.static_site.bind(GROUP, SITE, host, validation="dns-txt-token", deadline_seconds=0.2)

    proof = RecordSet(name="claimed", type="TXT", ttl=300, values=(token,), owner="mystira-workspace/prod")
    azure.zone.ensure(ZONE_GROUP, ZONE, proof)
    azure.static_site.bind(GROUP, SITE, host, validation="dns-txt-token", deadline_seconds=5)
    assert azure.static_site.claim(GROUP, SITE, host) == "", "the token is forgotten once the host is proved"
    assert not azure.static_site.bind(GROUP, SITE, host, validation="dns-txt-token", deadline_seconds=5)
