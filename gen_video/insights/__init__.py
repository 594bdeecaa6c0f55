"""Insights: figures over what was made, for those who use the service and who run it."""
