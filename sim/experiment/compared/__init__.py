"""What is set beside each other: mitigations, systems, a prediction and its measurement."""
