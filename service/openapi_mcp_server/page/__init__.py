"""The page at ``GET /``: what a document became, what it costs a model, and what the server does now."""
