"""The Flow Service over HTTP: requests, tokens, errors and retries."""
