"""The profile `link`: the unchanged link, and the presence feed behind it, against a model Asterisk."""
