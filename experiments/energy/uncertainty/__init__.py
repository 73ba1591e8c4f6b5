"""What an energy experiment assumes: low and high values, sensitivity, prices and amounts of the user's own."""
