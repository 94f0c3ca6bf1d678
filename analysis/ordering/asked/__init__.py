"""What a user asks for an order with, and what is answered."""
