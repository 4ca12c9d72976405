"""The places that a request may come from: hosts and web pages that are allowed, and the proxies that are believed."""
