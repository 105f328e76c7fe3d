// Telemetry of both APIs, kept in the workspace. The connection string is read where it is used and is no output.

@minLength(1)
@maxLength(260)
param name string

param location string
param tags object

@description('Id of the Log Analytics workspace that keeps the data.')
param workspaceId string

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: name
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId
    IngestionMode: 'LogAnalytics'
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

output id string = insights.id
output name string = insights.name
