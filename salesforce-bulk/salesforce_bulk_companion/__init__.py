"""The operator's companion to the plugins: the command ``salesforce-bulk``."""
