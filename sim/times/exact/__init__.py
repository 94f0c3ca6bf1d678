"""Times of a static program without an event loop: a recurrence, and its steady period."""
