"""Page one: the list, the sentences and the decisions behind it."""
