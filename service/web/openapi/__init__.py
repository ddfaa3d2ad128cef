"""The OpenAPI description, made from the operations, and the page that shows it."""
