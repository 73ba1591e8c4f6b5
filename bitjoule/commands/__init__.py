"""The parts of the command line. What is heavy is imported inside the commands, so that ``--help`` answers at once."""
