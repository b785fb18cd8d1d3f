"""One validated source of settings: `app.config.load`. Importing it loads no pydantic."""
