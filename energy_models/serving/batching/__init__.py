"""Continuous batching: its steady state in closed forms, as a Markov chain, and request by request."""
