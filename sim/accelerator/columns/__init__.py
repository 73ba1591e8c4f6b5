"""The columns of a compiled accelerator side by side: their module apart from the rest, and its C++ on vectors."""
