"""Pictures of pipelines whose staleness or costs change while they run."""
