"""Azure DevOps Services on one machine: the REST protocol that azuredevops plugins and Microsoft's clients speak.

Modelled on https://learn.microsoft.com/rest/api/azure/devops/ (7.1) and on the calls of terraform-provider-azuredevops
over azure-devops-go-api, which the pulumi-azuredevops plugin wraps. Everything is public REST but one thing:
`agent.py`, through which a test plays the build agent (an agent's own channel is not documented by Microsoft).
"""
