"""The terminal: the only importer of textual, a leaf that nobody imports but the program's entry. It shows snapshots
and gives the trader's words to the same handlers that the command line reaches through the control socket."""
