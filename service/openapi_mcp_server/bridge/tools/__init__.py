"""One operation of a document compiled into a tool."""
