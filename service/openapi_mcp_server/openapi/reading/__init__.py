"""The objects of OpenAPI documents, read into the model."""
