"""Our App Service client against the App Service and Kudu stand-ins."""

import pytest
from azure_here import APP, GROUP, ZONE, ZONE_GROUP, AzureHere, package, shared, site_id
from workspace.clients.zone import RecordSet
from workspace.errors import Broken, Refused, Unsettled

HOST = "api.dev.mystira.app"
COLD = {"point": "kudu", "subject": APP, "how": "503", "times": 1}


@pytest.fixture
def azure() -> AzureHere:
    here = shared()
    here.fail()
    return here


def deploy(azure: AzureHere, slot: str, text: str) -> str:
    file, sha256 = package(azure.folder, text)
    azure.app_service.deploy(GROUP, APP, slot, file, sha256, deadline_seconds=10)
    return sha256


def name(azure: AzureHere, host: str = HOST) -> None:
    """The records a host name of the app needs."""
    state = azure.app_service.state(GROUP, APP)
    assert state is not None
    label = host.removesuffix(f".{ZONE}")
    for record in (
        RecordSet(label, "CNAME", 3600, (state.host,), "us"),
        RecordSet(f"asuid.{label}", "TXT", 3600, (state.verification,), "us"),
    ):
        azure.zone.ensure(ZONE_GROUP, ZONE, record)


def test_a_site_tells_its_host_and_what_proves_ownership(azure: AzureHere) -> None:
    state = azure.app_service.state(GROUP, APP)

    assert state is not None
    assert (state.host, state.running, state.linux) == (f"{APP}.azurewebsites.net", True, True)
    assert len(state.verification) == 64
    assert azure.app_service.state(GROUP, "mys-dev-mystira-none-san") is None


def test_a_slot_has_a_host_of_its_own(azure: AzureHere) -> None:
    state = azure.app_service.state(GROUP, APP, "staging")

    assert state is not None
    assert state.host == f"{APP}-staging.azurewebsites.net"


@pytest.mark.parametrize("slot", ["", "staging"])
def test_a_deployed_package_is_known_by_its_content(azure: AzureHere, slot: str) -> None:
    sha256 = deploy(azure, slot, f"first in {slot}")

    assert azure.app_service.deployed(GROUP, APP, slot) == sha256


def test_a_package_that_is_deployed_is_not_sent_again(azure: AzureHere) -> None:
    file, sha256 = package(azure.folder, "once")
    assert azure.app_service.deploy(GROUP, APP, "", file, sha256, deadline_seconds=10)
    before = azure.writes

    assert not azure.app_service.deploy(GROUP, APP, "", file, sha256, deadline_seconds=10)
    assert azure.writes == before


def test_a_package_with_other_content_than_promised_is_refused(azure: AzureHere) -> None:
    file, _ = package(azure.folder, "changed on the way")
    before = azure.writes

    with pytest.raises(Refused, match="build it again"):
        azure.app_service.deploy(GROUP, APP, "", file, "0" * 64)
    assert azure.writes == before


def test_a_cold_kudu_is_unsettled_and_the_next_try_succeeds(azure: AzureHere) -> None:
    azure.fail(COLD)
    with pytest.raises(Unsettled, match="not ready"):
        deploy(azure, "", "cold")

    assert azure.app_service.deployed(GROUP, APP) != package(azure.folder, "cold")[1]
    sha256 = deploy(azure, "", "cold")
    assert azure.app_service.deployed(GROUP, APP) == sha256


def test_a_deployment_of_somebody_else_under_way_is_unsettled(azure: AzureHere) -> None:
    azure.fail({"point": "kudu", "subject": APP, "how": "conflict", "times": 1})

    with pytest.raises(Unsettled, match="currently in progress"):
        deploy(azure, "", "busy")


def test_a_failed_deployment_is_broken_with_the_last_words_of_its_log(azure: AzureHere) -> None:
    azure.fail({"point": "kudu", "subject": f"{APP}*", "how": "failed", "message": "No space left on device"})
    for slot in ("", "staging"):
        with pytest.raises(Broken, match="No space left on device"):
            deploy(azure, slot, "too large")
    azure.fail()


def test_what_ran_before_a_failed_deployment_still_runs(azure: AzureHere) -> None:
    before = deploy(azure, "", "good")
    azure.fail({"point": "kudu", "subject": APP, "how": "failed", "times": 1})
    with pytest.raises(Broken):
        deploy(azure, "", "bad")

    assert azure.web.ask(f"{APP}.azurewebsites.net", "/version").facts["sha256"] == before


def test_a_deployment_that_does_not_end_is_unsettled_and_followed_by_the_next_run(azure: AzureHere) -> None:
    azure.fail({"point": "kudu", "subject": f"{APP}-staging", "how": "stuck", "times": 1})
    file, sha256 = package(azure.folder, "stuck")
    before = azure.writes
    for _ in range(2):
        with pytest.raises(Unsettled, match="under way"):
            azure.app_service.deploy(GROUP, APP, "staging", file, sha256, deadline_seconds=0.1)

    assert azure.writes == before + 1
    for each in azure.cloud.under(f"{site_id(APP)}/slots/staging/deployments"):
        azure.cloud.delete(each["id"])


def test_a_swap_brings_the_package_and_keeps_the_one_before_in_the_slot(azure: AzureHere) -> None:
    old, new = deploy(azure, "", "old"), deploy(azure, "staging", "new")

    assert azure.app_service.swap(GROUP, APP, "staging", package=new)
    assert azure.app_service.deployed(GROUP, APP) == new
    assert azure.app_service.deployed(GROUP, APP, "staging") == old
    assert azure.web.ask(f"{APP}.azurewebsites.net", "/version").facts["sha256"] == new


def test_a_swap_asked_twice_does_not_swap_back(azure: AzureHere) -> None:
    deploy(azure, "", "old again")
    new = deploy(azure, "staging", "new again")
    azure.app_service.swap(GROUP, APP, "staging", package=new)

    assert not azure.app_service.swap(GROUP, APP, "staging", package=new)
    assert azure.app_service.deployed(GROUP, APP) == new


def test_a_swap_of_a_slot_that_holds_something_else_is_refused(azure: AzureHere) -> None:
    before = azure.writes

    with pytest.raises(Refused, match="nothing was swapped"):
        azure.app_service.swap(GROUP, APP, "staging", package="0" * 64)
    assert azure.writes == before


def test_a_swap_that_azure_ends_as_failed_is_not_a_success(azure: AzureHere) -> None:
    deploy(azure, "", "stays")
    new = deploy(azure, "staging", "comes not")
    azure.fail({"point": "arm", "subject": "POST Microsoft.Web/sites/slots/slotsswap *", "how": "failed", "times": 1})

    with pytest.raises((Broken, Unsettled)):
        azure.app_service.swap(GROUP, APP, "staging", package=new)
    assert azure.app_service.deployed(GROUP, APP) != new


def test_settings_are_merged_and_only_what_differs_is_written(azure: AzureHere) -> None:
    azure.app_service.merge_settings(GROUP, APP, "", {"ASPNETCORE_ENVIRONMENT": "Development", "Old": "kept"})
    before = azure.writes

    assert azure.app_service.merge_settings(GROUP, APP, "", {"ASPNETCORE_ENVIRONMENT": "Development"}) == ()
    assert azure.writes == before
    assert azure.app_service.merge_settings(GROUP, APP, "", {"ASPNETCORE_ENVIRONMENT": "Staging"}) == (
        "ASPNETCORE_ENVIRONMENT",
    )
    assert azure.app_service.stale_settings(GROUP, APP, "", {"Old": "kept"}) == ()


def test_settings_go_with_the_content_except_those_that_stay_with_the_slot(azure: AzureHere) -> None:
    client = azure.app_service._client.web_apps
    client.update_slot_configuration_names(GROUP, APP, {"properties": {"appSettingNames": ["Sticky"]}})
    azure.app_service.merge_settings(GROUP, APP, "", {"Sticky": "production", "Free": "one"})
    azure.app_service.merge_settings(GROUP, APP, "staging", {"Sticky": "slot", "Free": "two"})
    azure.app_service.swap(GROUP, APP, "staging")

    assert azure.app_service.stale_settings(GROUP, APP, "", {"Sticky": "production", "Free": "two"}) == ()


def test_a_template_that_writes_settings_replaces_them(azure: AzureHere) -> None:
    azure.app_service.merge_settings(GROUP, APP, "", {"FromCode": "one"})
    site = azure.cloud.get(site_id(APP))
    assert site is not None
    site["properties"]["siteConfig"] = {"appSettings": [{"name": "FromTemplate", "value": "two"}]}
    azure.put(site)

    assert azure.app_service.stale_settings(GROUP, APP, "", {"FromTemplate": "two"}) == ()
    assert azure.app_service.stale_settings(GROUP, APP, "", {"FromCode": "one"}) == ("FromCode",)


def test_a_host_without_its_dns_records_is_unsettled(azure: AzureHere) -> None:
    with pytest.raises(Unsettled, match=r"asuid\.early\.dev\.mystira\.app"):
        azure.app_service.bind(GROUP, APP, "early.dev.mystira.app")


def test_a_host_with_its_records_is_bound_certified_and_secured_once(azure: AzureHere) -> None:
    name(azure)
    apps = azure.app_service

    assert apps.bind(GROUP, APP, HOST)
    thumbprint = apps.issue_certificate(GROUP, APP, HOST, deadline_seconds=10)
    assert apps.secure(GROUP, APP, HOST, thumbprint)
    binding = apps.binding(GROUP, APP, HOST)
    assert binding is not None
    assert binding.thumbprint == thumbprint
    before = azure.writes
    assert not apps.bind(GROUP, APP, HOST)
    assert apps.issue_certificate(GROUP, APP, HOST) == thumbprint
    assert not apps.secure(GROUP, APP, HOST, thumbprint)
    assert azure.writes == before


def test_a_certificate_for_a_host_that_is_not_bound_is_not_issued(azure: AzureHere) -> None:
    with pytest.raises(Refused, match="CanonicalName"):
        azure.app_service.issue_certificate(GROUP, APP, "unbound.dev.mystira.app")


def test_a_certificate_that_is_never_issued_is_unsettled_at_the_deadline(azure: AzureHere) -> None:
    host = "slow.dev.mystira.app"
    name(azure, host)
    azure.app_service.bind(GROUP, APP, host)
    azure.fail({"point": "certificate", "subject": host, "how": "never"})

    with pytest.raises(Unsettled, match="was not issued"):
        azure.app_service.issue_certificate(GROUP, APP, host, deadline_seconds=0.1)
    azure.fail()


def test_a_warm_up_wants_several_good_answers_in_a_row(azure: AzureHere) -> None:
    answers = iter([True, False, True, True, True])
    asked: list[bool] = []

    def ask() -> None:
        asked.append(next(answers))
        if not asked[-1]:
            raise Unsettled("api answers 503")

    azure.app_service.warm_up("api", ask, times=3, deadline_seconds=10)
    assert len(asked) == 5


def test_a_warm_up_that_never_succeeds_is_broken_and_says_what_was_answered(azure: AzureHere) -> None:
    def ask() -> None:
        raise Unsettled("api answers 503")

    with pytest.raises(Broken, match="api answers 503"):
        azure.app_service.warm_up("api", ask, deadline_seconds=0.05)


def test_a_throttled_site_is_unsettled(azure: AzureHere) -> None:
    azure.fail({"point": "arm", "subject": f"GET Microsoft.Web/sites {APP}", "how": "throttle", "times": 1})

    with pytest.raises(Unsettled):
        azure.app_service.state(GROUP, APP)


def test_a_rehearsed_basic_plan_has_no_slots(azure: AzureHere) -> None:
    plan = f"{azure.plan}-b1"
    azure.put({"id": plan, "sku": {"name": "B1", "tier": "Basic"}})
    azure.put({"id": f"{site_id(APP)}-b1", "location": "southafricanorth", "properties": {"serverFarmId": plan}})
    client = azure.app_service._client.web_apps

    with pytest.raises(Exception, match="number of slots allowed for the 'Basic' SKU"):
        client.begin_create_or_update_slot(GROUP, f"{APP}-b1", "staging", {"location": "southafricanorth"})
