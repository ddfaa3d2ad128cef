"""The bus between collectors, which hold the links to Asterisk, and followers, which answer requests."""
