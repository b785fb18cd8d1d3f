"""The command line. Handlers import what they need inside the command."""
