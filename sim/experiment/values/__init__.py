"""Values: what a configuration's keys take, and what their annotations say of them."""
