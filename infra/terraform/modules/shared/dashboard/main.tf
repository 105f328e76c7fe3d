# One page in the portal for the services in the cluster and what they stand on. It comes after all that it shows, so it
# is a stack of its own.

locals {
  cache_type = strcontains(lower(var.cache_id), "/redisenterprise/") ? "Microsoft.Cache/redisEnterprise" : "Microsoft.Cache/redis"
  # As the portal numbers them.
  aggregations = { total = 1, maximum = 3, average = 4, count = 7 }

  services = [for service, id in var.application_insights_ids : { label = service, id = id, type = "Microsoft.Insights/components" }]
  buses    = [for service, id in var.servicebus_namespace_ids : { label = service, id = id, type = "Microsoft.ServiceBus/namespaces" }]
  cluster  = [{ label = "cluster", id = var.cluster_id, type = "Microsoft.ContainerService/managedClusters" }]
  database = [{ label = "PostgreSQL", id = var.postgresql_server_id, type = "Microsoft.DBforPostgreSQL/flexibleServers" }]
  cache    = [{ label = "Redis", id = var.cache_id, type = local.cache_type }]

  charts = concat(
    [
      { title = "Requests", of = local.services, metric = "requests/count", by = "count" },
      { title = "Failed requests", of = local.services, metric = "requests/failed", by = "count" },
      { title = "Response time", of = local.services, metric = "requests/duration", by = "average" },
      { title = "Exceptions", of = local.services, metric = "exceptions/count", by = "count" },
      { title = "Cluster: processors of the nodes", of = local.cluster, metric = "node_cpu_usage_percentage", by = "average" },
      { title = "Cluster: memory of the nodes", of = local.cluster, metric = "node_memory_working_set_percentage", by = "average" },
      { title = "Cluster: pods that are ready", of = local.cluster, metric = "kube_pod_status_ready", by = "total" },
      { title = "PostgreSQL: processor", of = local.database, metric = "cpu_percent", by = "average" },
      { title = "PostgreSQL: storage", of = local.database, metric = "storage_percent", by = "maximum" },
      { title = "PostgreSQL: connections", of = local.database, metric = "active_connections", by = "average" },
      { title = "Redis: memory", of = local.cache, metric = "usedmemorypercentage", by = "maximum" },
      { title = "Redis: load", of = local.cache, metric = "serverLoad", by = "maximum" },
    ],
    length(local.buses) == 0 ? [] : [
      { title = "Service Bus: waiting messages", of = local.buses, metric = "ActiveMessages", by = "average" },
      { title = "Service Bus: dead letters", of = local.buses, metric = "DeadletteredMessages", by = "average" },
    ]
  )

  queries = [
    {
      title = "What fails most"
      query = "AppRequests | where Success == false | summarize Failures = sum(ItemCount) by AppRoleName, Name, ResultCode | top 20 by Failures"
    },
    {
      title = "Exceptions by kind"
      query = "AppExceptions | summarize Exceptions = sum(ItemCount), Last = max(TimeGenerated) by AppRoleName, ExceptionType | top 20 by Exceptions"
    },
    {
      title = "Warnings of the cluster"
      query = "KubeEvents | where KubeEventType == 'Warning' | summarize Events = count(), Last = max(TimeGenerated) by Namespace, ObjectKind, Name, Reason | top 20 by Events"
    },
  ]

  heading = {
    title = var.title
    type  = "Extension/HubsExtension/PartType/MarkdownPart"
    input = jsonencode([])
    settings = jsonencode({
      content = {
        settings = {
          title    = var.title
          subtitle = join(", ", keys(var.application_insights_ids))
          content  = "Deployed by the workspace pipeline. Change the definition, not this page."
        }
      }
    })
  }

  chart_tiles = [
    for chart in local.charts : {
      title = chart.title
      type  = "Extension/HubsExtension/PartType/MonitorChartPart"
      input = jsonencode([{ name = "options", isOptional = true }, { name = "sharedTimeRange", isOptional = true }])
      settings = jsonencode({
        content = {
          options = {
            chart = {
              title     = chart.title
              titleKind = 2
              metrics = [
                for each in chart.of : {
                  resourceMetadata    = { id = each.id }
                  name                = chart.metric
                  namespace           = lower(each.type)
                  aggregationType     = local.aggregations[chart.by]
                  metricVisualization = { displayName = each.label }
                }
              ]
              visualization = { chartType = 2, legendVisualization = { isVisible = true, position = 2, hideSubtitle = false } }
            }
          }
        }
      })
    }
  ]

  query_tiles = [
    for each in local.queries : {
      title = each.title
      type  = "Extension/Microsoft_OperationsManagementSuite_Workspace/PartType/LogsDashboardPart"
      input = jsonencode([
        { name = "Scope", value = { resourceIds = [var.workspace_id] }, isOptional = true },
        { name = "PartId", value = uuidv5("url", "${var.name}/${each.title}"), isOptional = true },
        { name = "Version", value = "2.0", isOptional = true },
        { name = "TimeRange", value = "P1D", isOptional = true },
        { name = "Query", value = each.query, isOptional = true },
        { name = "ControlType", value = "AnalyticsGrid", isOptional = true },
        { name = "PartTitle", value = each.title, isOptional = true },
        { name = "PartSubTitle", value = "the last day", isOptional = true },
        { name = "IsQueryContainTimeRange", value = false, isOptional = true },
      ])
      settings = jsonencode({})
    }
  ]

  # Three tiles beside each other, each 6 wide and 4 high.
  tiles = concat([local.heading], local.chart_tiles, local.query_tiles)
  parts = {
    for index, tile in local.tiles : tostring(index) => {
      position = { x = index % 3 * 6, y = floor(index / 3) * 4, colSpan = 6, rowSpan = 4 }
      metadata = { type = tile.type, inputs = jsondecode(tile.input), settings = jsondecode(tile.settings) }
    }
  }
}

resource "azurerm_portal_dashboard" "this" {
  name                = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  tags                = merge(var.tags, { "hidden-title" = var.title })

  dashboard_properties = jsonencode({
    lenses   = { "0" = { order = 0, parts = local.parts } }
    metadata = { model = { timeRange = { type = "MsPortalFx.Composition.Configuration.ValueTypes.TimeRange", value = { relative = { duration = 24, timeUnit = 1 } } } } }
  })
}
