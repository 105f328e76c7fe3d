output "cluster_id" {
  value       = azurerm_kubernetes_cluster.this.id
  description = "Resource id of the cluster."
}

output "cluster_name" {
  value       = azurerm_kubernetes_cluster.this.name
  description = "Name of the cluster."
}

output "resource_group_name" {
  value       = azurerm_kubernetes_cluster.this.resource_group_name
  description = "Group of the cluster, for asking its credentials."
}

output "node_resource_group" {
  value       = azurerm_kubernetes_cluster.this.node_resource_group
  description = "Group Azure keeps the nodes and load balancers in."
}

output "kubernetes_version" {
  value       = azurerm_kubernetes_cluster.this.current_kubernetes_version
  description = "The version that runs, with its patch."
}

output "oidc_issuer_url" {
  value       = azurerm_kubernetes_cluster.this.oidc_issuer_url
  description = "Token issuer that the services' identities trust."
}

output "kubelet_principal_id" {
  value       = azurerm_kubernetes_cluster.this.kubelet_identity[0].object_id
  description = "Object id of the identity that pulls images."
}

output "gateway_ip" {
  value       = one(azurerm_public_ip.gateway[*].ip_address)
  description = "The reserved address of the gateway; null where none is reserved."
}

output "gateway_ip_name" {
  value       = one(azurerm_public_ip.gateway[*].name)
  description = "Name of the reserved address, for the gateway's service annotation; null where none is reserved."
}
