"""Commands on results: a page, a comparison, an explorer of a sweep."""
