"""Stand-in for the azuredevops plugin, over the REST API of Azure DevOps."""

VERSION = "3.16.2"
