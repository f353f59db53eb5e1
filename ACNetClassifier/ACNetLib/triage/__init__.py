"""The reading list: many studies classified, those with DCM first. Documentation/triage.md tells how it is used."""
