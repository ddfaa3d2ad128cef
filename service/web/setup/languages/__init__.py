"""The languages of the pages for people: one module of texts for each."""
