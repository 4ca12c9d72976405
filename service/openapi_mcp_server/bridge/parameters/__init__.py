"""Parameters to the text that carries them: path, query, header, cookie."""
