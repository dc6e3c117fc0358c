"""What runs are worth: AUC with intervals over patients, and where maps point."""
