"""The paper venue: its own process with its own record. The rest of app may not import it."""
