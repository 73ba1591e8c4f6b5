"""From measurements of many arrays to the prices of a technology."""
