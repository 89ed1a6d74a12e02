"""What the loops call to enable archiving and to keep it going."""
