"""The bus between collectors and followers, with an unchanged link behind each collector."""
