"""The call log: which API requests an account sent in the last days, with their request ids."""
