"""Our vault client against the vault stand-in, behind the real challenge."""

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import SecretClient
from azure_here import APP, GROUP, SUBSCRIPTION, VAULT, Anybody, AzureHere, assignment, group_id, shared
from workspace.errors import Broken, Unsettled
from workspace.rehearsal import behaviour


@pytest.fixture
def azure() -> AzureHere:
    here = shared()
    here.fail()
    return here


def test_a_secret_reads_back_as_it_was_set(azure: AzureHere) -> None:
    assert azure.vault.set(VAULT, "anthropic-api-key", "one")
    assert azure.vault.get(VAULT, "anthropic-api-key") == "one"


def test_a_secret_that_holds_the_value_is_not_set_again(azure: AzureHere) -> None:
    azure.vault.set(VAULT, "same", "one")
    before = azure.writes

    assert not azure.vault.set(VAULT, "same", "one")
    assert azure.writes == before


def test_a_secret_that_is_not_there_is_none(azure: AzureHere) -> None:
    assert azure.vault.get(VAULT, "nothing") is None


def test_a_secret_that_a_stack_made_is_seen(azure: AzureHere) -> None:
    secret = f"{group_id(GROUP)}/providers/Microsoft.KeyVault/vaults/{VAULT}/secrets/chain-rpc-endpoint"
    azure.put({"id": secret, "_value": "http://mystira-chain:8545"})

    assert azure.vault.get(VAULT, "chain-rpc-endpoint") == "http://mystira-chain:8545"
    assert "chain-rpc-endpoint" in azure.vault.names(VAULT)


def test_a_vault_that_is_not_there_is_broken(azure: AzureHere) -> None:
    with pytest.raises(Broken, match="mystira-none-dev-kv"):
        azure.vault.get("mystira-none-dev-kv", "anything")


def test_a_forbidden_vault_is_broken_and_names_vault_and_role_but_no_value(azure: AzureHere) -> None:
    azure.vault.set(VAULT, "hidden", "the-old-value")
    azure.fail({"point": "vault", "subject": VAULT, "how": "forbidden", "times": 2})

    with pytest.raises(Broken, match=f"{VAULT}.*Key Vault Secrets User"):
        azure.vault.get(VAULT, "hidden")
    with pytest.raises(Broken) as refused:
        azure.vault.set(VAULT, "hidden", "the-new-value")
    assert "value" not in str(refused.value)


def test_a_throttled_vault_is_unsettled(azure: AzureHere) -> None:
    azure.fail({"point": "vault", "subject": VAULT, "how": "throttled", "times": 1})

    with pytest.raises(Unsettled):
        azure.vault.get(VAULT, "same")


def test_a_deleted_secret_keeps_its_name_until_it_is_purged(azure: AzureHere) -> None:
    real = SecretClient(
        f"{azure.served.url}/vault/{VAULT}",
        azure.vault._credential,
        connection_verify=str(azure.tls.certificate),
        verify_challenge_resource=False,
    )
    azure.vault.set(VAULT, "doomed", "one")
    real.begin_delete_secret("doomed", _polling_interval=0.01).wait()

    assert azure.vault.get(VAULT, "doomed") is None
    with pytest.raises(Broken, match="recover or purge"):
        azure.vault.set(VAULT, "doomed", "two")
    real.purge_deleted_secret("doomed")
    assert azure.vault.set(VAULT, "doomed", "two")


def test_every_set_makes_a_version_and_a_disabled_one_is_broken(azure: AzureHere) -> None:
    real = SecretClient(
        f"{azure.served.url}/vault/{VAULT}",
        azure.vault._credential,
        connection_verify=str(azure.tls.certificate),
        verify_challenge_resource=False,
    )
    azure.vault.set(VAULT, "aged", "one")
    azure.vault.set(VAULT, "aged", "two")
    versions = list(real.list_properties_of_secret_versions("aged"))
    real.update_secret_properties("aged", versions[-1].version, enabled=False)

    assert len(versions) == 2
    with pytest.raises(Broken, match="disabled"):
        azure.vault.get(VAULT, "aged")


def test_a_token_somebody_made_up_does_not_open_a_vault(azure: AzureHere) -> None:
    stranger = SecretClient(
        f"{azure.served.url}/vault/{VAULT}",
        Anybody(),
        connection_verify=str(azure.tls.certificate),
        verify_challenge_resource=False,
    )

    with pytest.raises(Exception, match=r"AKV10000|Unauthorized|token"):
        stranger.get_secret("same")


def test_a_token_for_somebody_else_opens_neither_vault_nor_kudu(azure: AzureHere) -> None:
    management, vaults = (
        azure.credential.get_token(f"{each}/.default").token
        for each in ("https://management.azure.com", "https://vault.azure.net")
    )
    answer = ask(azure, f"/vault/{VAULT}/secrets?api-version=7.4", management)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "Unauthorized")
    assert "AKV10022: Invalid audience. Expected https://vault.azure.net" in answer.json()["error"]["message"]
    assert ask(azure, f"/vault/{VAULT}/secrets?api-version=7.4", vaults).status_code == 200
    assert ask(azure, f"/scm/{APP}/api/deployments", vaults).status_code == 401
    assert ask(azure, f"/scm/{APP}/api/deployments", management).status_code == 200


def ask(azure: AzureHere, path: str, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(azure.served.url + path, headers=headers, verify=str(azure.tls.certificate), timeout=10)


def test_whoever_has_no_role_on_a_vault_does_not_open_it(azure: AzureHere) -> None:
    closed = f"{group_id(GROUP)}/providers/Microsoft.KeyVault/vaults/mystira-closed-kv"
    azure.put({"id": closed, "properties": {"enableRbacAuthorization": True}})
    with pytest.raises(Broken, match=r"ForbiddenByRbac.*grant the role Key Vault Secrets User"):
        azure.vault.get("mystira-closed-kv", "key")
    azure.put(assignment(closed, "Key Vault Secrets User"))
    assert azure.vault.get("mystira-closed-kv", "key") is None
    with pytest.raises(Broken, match=r"ForbiddenByRbac.*grant the role Key Vault Secrets Officer"):
        azure.vault.set("mystira-closed-kv", "key", "value")
    azure.put(assignment(group_id(GROUP), "Key Vault Secrets Officer"))
    assert azure.vault.set("mystira-closed-kv", "key", "value")
    azure.cloud.delete(assignment(group_id(GROUP), "Key Vault Secrets Officer")["id"])


def test_access_policies_open_a_vault_for_what_they_grant(azure: AzureHere) -> None:
    old = f"{group_id(GROUP)}/providers/Microsoft.KeyVault/vaults/mystira-old-kv"
    policy = {"objectId": behaviour.caller(SUBSCRIPTION), "permissions": {"secrets": ["Get"]}}
    azure.put({"id": old, "properties": {"accessPolicies": [policy]}})
    assert azure.vault.get("mystira-old-kv", "key") is None
    with pytest.raises(Broken, match="AccessDenied"):
        azure.vault.set("mystira-old-kv", "key", "value")


def test_a_protected_vaults_secrets_cannot_be_purged(azure: AzureHere) -> None:
    kept = f"{group_id(GROUP)}/providers/Microsoft.KeyVault/vaults/mystira-kept-kv"
    azure.put({"id": kept, "properties": {"enableRbacAuthorization": True, "enablePurgeProtection": True}})
    azure.put(assignment(kept, "Key Vault Administrator"))
    real = SecretClient(
        f"{azure.served.url}/vault/mystira-kept-kv",
        azure.vault._credential,
        connection_verify=str(azure.tls.certificate),
        verify_challenge_resource=False,
    )
    real.set_secret("key", "value")
    real.begin_delete_secret("key", _polling_interval=0.01).wait()
    with pytest.raises(HttpResponseError, match="purge protection is enabled"):
        real.purge_deleted_secret("key")
    real.close()
