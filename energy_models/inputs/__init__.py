"""Reading and checking input: YAML with line numbers, errors, sources, plug-ins. Imports nothing of ours."""
