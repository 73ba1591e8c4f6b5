"""The commands. Heavy imports are inside the functions that need them, so that ``--help`` answers at once."""
