"""How good the orders are that are searched for, and how quickly they are judged."""
