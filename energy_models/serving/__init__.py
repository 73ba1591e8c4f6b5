"""Serving: how requests are run on one chip or several, from the costs of single steps."""
