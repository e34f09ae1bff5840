"""The pipeline made of the components, its configurations and its runners."""
