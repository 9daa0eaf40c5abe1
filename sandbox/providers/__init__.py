"""Stand-in providers: the aws, azuredevops and docker plugins of the engine for a closed network."""
