"""AWS: its keys, its signatures, Cognito, and the stores that secrets are kept in."""
