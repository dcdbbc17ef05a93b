"""Who buys what next, which beginnings bring good customers, what recommendations and loyalty are worth."""
