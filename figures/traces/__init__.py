"""Pictures of one trace, on axes of the caller's own; they change no setting of matplotlib."""
