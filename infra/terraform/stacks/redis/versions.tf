terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }

  # Account, container and key are given when it is initialised: the key is ENVIRONMENT/redis.tfstate.
  backend "azurerm" {}
}

provider "azurerm" {
  subscription_id = var.subscription_id

  features {
    key_vault {
      recover_soft_deleted_key_vaults       = true
      purge_soft_delete_on_destroy          = var.purge_vaults_on_destroy
      purge_soft_deleted_secrets_on_destroy = var.purge_vaults_on_destroy
    }
  }
}
