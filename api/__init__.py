"""The service: routes over a tag folder, and the page."""
