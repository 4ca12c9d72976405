"""HTTP/1.1 on our own sockets: connections, ordinary requests, and all others."""
