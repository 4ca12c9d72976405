"""Operations become tools, calls become HTTP requests, HTTP responses become results. Pure."""
