"""From where a request may come: hosts and web pages that are allowed, and the proxies that are believed."""
