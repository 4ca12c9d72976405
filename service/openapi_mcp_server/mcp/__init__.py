"""The Model Context Protocol on the wire, both eras. Pure: messages in, bytes out."""
