"""What is distilled and how: the losses, and the five strategies of Fig. 2."""
