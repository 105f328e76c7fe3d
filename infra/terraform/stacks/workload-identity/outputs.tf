output "subjects" {
  value       = module.workload_identity.subjects
  description = "What the cluster's tokens must say, by service account."
}
