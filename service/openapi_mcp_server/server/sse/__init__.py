"""HTTP+SSE, the transport of revision 2024-11-05."""
