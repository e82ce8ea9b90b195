"""SOQL: text to syntax tree, and syntax tree to SQL."""
