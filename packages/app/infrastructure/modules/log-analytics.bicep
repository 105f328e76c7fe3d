// The workspace that every log and metric of the App goes to.

@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param name string

param location string
param tags object

@description('Days that data is kept.')
@minValue(30)
@maxValue(730)
param retentionInDays int

@description('Most data taken in per day, in GB; -1 for no limit.')
@minValue(-1)
param dailyQuotaGb int

resource workspace 'Microsoft.OperationalInsights/workspaces@2022-10-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionInDays
    features: {
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    workspaceCapping: {
      dailyQuotaGb: dailyQuotaGb
    }
  }
}

output id string = workspace.id
output name string = workspace.name
