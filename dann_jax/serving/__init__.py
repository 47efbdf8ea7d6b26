"""A trained model behind a small web server: a page, and an endpoint for programs."""
