"""The language of Azure Pipelines: documents, templates, expressions, expansion and lint. Pure: it only reads files."""
