output "cluster_id" {
  value       = module.cluster.cluster_id
  description = "Resource id of the cluster."
}

output "cluster_name" {
  value       = module.cluster.cluster_name
  description = "Name of the cluster."
}

output "resource_group_name" {
  value       = module.cluster.resource_group_name
  description = "Group of the cluster, for asking its credentials."
}

output "node_resource_group" {
  value       = module.cluster.node_resource_group
  description = "Group Azure keeps the nodes and load balancers in."
}

output "kubernetes_version" {
  value       = module.cluster.kubernetes_version
  description = "The version that runs, with its patch."
}

output "oidc_issuer_url" {
  value       = module.cluster.oidc_issuer_url
  description = "Token issuer that the services' identities trust."
}

output "kubelet_principal_id" {
  value       = module.cluster.kubelet_principal_id
  description = "Object id of the identity that pulls images."
}

output "gateway_ip" {
  value       = module.cluster.gateway_ip
  description = "The reserved address of the gateway; null where none is reserved."
}

output "gateway_ip_name" {
  value       = module.cluster.gateway_ip_name
  description = "Name of the reserved address, for the gateway's service annotation; null where none is reserved."
}
