"""What Ho & Gwak (2020) published: their numbers, a check of those numbers, and their claims."""
