"""The one door: pipeline, machines, authorisation, preview, recovery."""
