output "subjects" {
  value       = { for account, credential in azurerm_federated_identity_credential.this : account => credential.subject }
  description = "What the cluster's tokens must say, by service account."
}
