"""Tables of policies under costs that drift."""
