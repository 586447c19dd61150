"""JSON Schemas of a stream's events: read, weighed, compiled, compared and inferred. Pure: values in, values out."""
