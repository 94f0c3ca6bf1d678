"""Pictures of traces: data first, drawing second."""
