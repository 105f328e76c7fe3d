"""Everything that is deployed together, and how it is planned, changed, proved and carried onward. Knows no Prefect."""
