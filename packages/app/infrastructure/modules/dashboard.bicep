// One page in the portal: what this environment is, how many requests it gets and how many fail.

@minLength(3)
@maxLength(160)
param name string

param location string
param tags object
param title string

@description('Id of the Application Insights component that the charts are drawn from.')
param applicationInsightsId string

var charts = [
  {
    title: 'Requests'
    metric: 'requests/count'
    aggregation: 7
    x: 6
    y: 0
  }
  {
    title: 'Failed requests'
    metric: 'requests/failed'
    aggregation: 7
    x: 0
    y: 4
  }
  {
    title: 'Response time'
    metric: 'requests/duration'
    aggregation: 4
    x: 6
    y: 4
  }
]
var heading = [
  {
    position: {
      x: 0
      y: 0
      rowSpan: 4
      colSpan: 6
    }
    metadata: {
      type: 'Extension/HubsExtension/PartType/MarkdownPart'
      inputs: []
      settings: {
        content: {
          settings: {
            title: title
            subtitle: 'API, Admin API and PWA'
            content: 'Deployed by the workspace pipeline. Change the template, not this page.'
          }
        }
      }
    }
  }
]
var parts = map(charts, chart => {
  position: {
    x: chart.x
    y: chart.y
    rowSpan: 4
    colSpan: 6
  }
  metadata: {
    type: 'Extension/HubsExtension/PartType/MonitorChartPart'
    inputs: [
      {
        name: 'options'
        value: {
          chart: {
            title: chart.title
            metrics: [
              {
                resourceMetadata: {
                  id: applicationInsightsId
                }
                name: chart.metric
                aggregationType: chart.aggregation
                namespace: 'microsoft.insights/components'
              }
            ]
          }
        }
      }
    ]
    settings: {}
  }
})

resource dashboard 'Microsoft.Portal/dashboards@2020-09-01-preview' = {
  name: name
  location: location
  tags: union(tags, {
    'hidden-title': title
  })
  properties: {
    lenses: [
      {
        order: 0
        parts: concat(heading, parts)
      }
    ]
  }
}

output id string = dashboard.id
