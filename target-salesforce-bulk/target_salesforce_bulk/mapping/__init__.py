"""From a stream's schema to the columns of an object, and from its records to rows."""
