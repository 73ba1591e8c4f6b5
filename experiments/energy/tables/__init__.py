"""The tables of an energy experiment, each a frame derived from evaluated cases."""
