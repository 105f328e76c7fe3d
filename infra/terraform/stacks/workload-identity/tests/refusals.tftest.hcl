# What Azure would refuse after minutes is refused when planning. Run with `terraform test`.

variables {
  subscription_id = "00000000-0000-4000-8000-000000000000"
  oidc_issuer_url = "https://eastus.oic.prod-aks.azure.com/tenant/issuer/"
  namespace       = "mystira-dev"
  identity_ids = {
    mystira-chain-sa = "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/mystira-dev-rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mystira-chain-dev-identity"
  }
}

run "the_data_as_it_is_can_be_planned" {
  command = plan
}

run "an_issuer_without_tls_is_refused" {
  command = plan

  variables {
    oidc_issuer_url = "http://issuer"
  }

  expect_failures = [var.oidc_issuer_url]
}

run "a_namespace_in_capitals_is_refused" {
  command = plan

  variables {
    namespace = "Mystira"
  }

  expect_failures = [var.namespace]
}

run "a_client_id_in_place_of_a_resource_id_is_refused" {
  command = plan

  variables {
    identity_ids = {
      mystira-chain-sa = "00000000-0000-4000-8000-000000000000"
    }
  }

  expect_failures = [var.identity_ids]
}
