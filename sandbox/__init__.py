"""The one-machine cloud: engine, plugins, AWS, ECR, Azure DevOps and Docker; nothing in infra/ knows of it."""
