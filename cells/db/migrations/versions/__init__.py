"""The revisions of the schema, oldest first by the number in front."""
