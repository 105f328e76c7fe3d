// The PWA's host. The pipeline uploads the site; a repository is linked only when a token for it is passed.

@minLength(1)
@maxLength(60)
param name string

@description('Static Web Apps exist in few regions.')
@allowed([
  'centralus'
  'eastus2'
  'eastasia'
  'westeurope'
  'westus2'
])
param location string

param tags object

@allowed([
  'Free'
  'Standard'
])
param sku string

param repositoryUrl string
param branch string

@secure()
param repositoryToken string

var repository = empty(repositoryToken) ? {} : {
  repositoryUrl: repositoryUrl
  branch: branch
  repositoryToken: repositoryToken
}

resource site 'Microsoft.Web/staticSites@2023-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    tier: sku
  }
  properties: union({
    allowConfigFileUpdates: true
    stagingEnvironmentPolicy: 'Enabled'
  }, repository)
}

output id string = site.id
output name string = site.name
output defaultHostname string = site.properties.defaultHostname
