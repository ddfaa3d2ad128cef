"""Why an extension has no known state, or no phone that answers: facts in, a reason with its remedy out. Pure."""
