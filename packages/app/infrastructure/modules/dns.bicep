// Records of the App in a zone that exists, for use by hand. The pipeline never runs this: there each record is a node
// of its own, so that every record has one owner.

@description('The zone, in the group this module is deployed to.')
param zoneName string

@description('CNAME records: objects with name and target.')
param aliases array

@description('Ownership of App Service domains: objects with name (asuid.api) and value.')
param ownership array

@description('Id of the Static Web App that the apex points to; empty for none.')
param apexTargetId string

@minValue(1)
param ttl int = 3600

resource zone 'Microsoft.Network/dnsZones@2023-07-01-preview' existing = {
  name: zoneName
}

resource alias 'Microsoft.Network/dnsZones/CNAME@2023-07-01-preview' = [for record in aliases: {
  parent: zone
  name: record.name
  properties: {
    TTL: ttl
    CNAMERecord: {
      cname: record.target
    }
  }
}]

resource proof 'Microsoft.Network/dnsZones/TXT@2023-07-01-preview' = [for record in ownership: {
  parent: zone
  name: record.name
  properties: {
    TTL: ttl
    TXTRecords: [
      {
        value: [
          record.value
        ]
      }
    ]
  }
}]

resource apex 'Microsoft.Network/dnsZones/A@2023-07-01-preview' = if (!empty(apexTargetId)) {
  parent: zone
  name: '@'
  properties: {
    TTL: ttl
    targetResource: {
      id: apexTargetId
    }
  }
}
