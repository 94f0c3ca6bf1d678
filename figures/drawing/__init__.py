"""How every picture looks: style, colours, labels, and the look a user asks for."""
